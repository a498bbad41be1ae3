// The user's orders, and one of them: how it stands, and its cancellation.
import { Confirm, Empty, Failed, ForUser, Loaded, More, Title, useLoad, usePages } from '/page/parts.js';
import { call, get } from '/page/session.js';
import { html, money, plural, to, useEffect, useState, when } from '/page/view.js';

const STATUS = {
  pending: ['being placed', ''], confirmed: ['confirmed', 'good'], rejected: ['rejected', 'sold'],
  cancelled: ['cancelled', ''], paymentFailed: ['payment failed', 'sold'],
};

function Status({ order }) {
  const [label, kind] = STATUS[order.status] ?? [order.status, ''];
  return html`<span class=${`tag ${kind}`}>${label}</span>`;
}

function List() {
  const [status, setStatus] = useState('');
  const pages = usePages((cursor, signal) => get(`/orders?${new URLSearchParams({ limit: 20, ...(status && { status }), ...(cursor && { cursor }) })}`, { signal }), [status], 'orders');
  return html`<${Title} beside=${html`<label class="inline">Show <select value=${status} onChange=${(event) => setStatus(event.target.value)}>
      <option value="">all</option>${Object.entries(STATUS).map(([name, [label]]) => html`<option value=${name} key=${name}>${label}</option>`)}</select></label>`}>Your orders<//>
    <${Loaded} of=${pages.first} what="your orders">${() => (pages.items.length || pages.next
      ? html`<ul class="rows">${pages.items.map((order) => html`<li key=${order.orderId}><a href=${to('orders', order.orderId)}>
          <span>${order.lines.map((line) => `${line.quantity} × ${line.name}`).join(', ')}</span>
          <span class="quiet">${when(order.createdAt)}</span><${Status} order=${order} /><strong class="number">${money(order.total)}</strong></a></li>`)}</ul><${More} of=${pages} />`
      : html`<${Empty}>There are no such orders. <a href="#/">Look around in the shop</a>.<//>`)}<//>`;
}

/** Looks again while an order is being placed, ever more seldom. */
const PAUSES_MS = [500, 1000, 2000, 4000, 8000];

function One({ id }) {
  const loaded = useLoad((signal) => get(`/orders/${encodeURIComponent(id)}`, { signal }), [id]);
  const [looks, setLooks] = useState(0);
  const status = loaded.value?.status;
  useEffect(() => {
    if (status !== 'pending') return undefined;
    const timer = setTimeout(() => { setLooks(looks + 1); loaded.reload(); }, PAUSES_MS[Math.min(looks, PAUSES_MS.length - 1)]);
    return () => clearTimeout(timer);
  }, [status, looks]);
  if (loaded.status === 'failed') return html`<${Title}>Order<//><${Failed} error=${loaded.error} retry=${loaded.reload} />`;
  return html`<${Loaded} of=${loaded} what="the order">${(order) => html`
    <p class="crumbs"><a href=${to('orders')}>Your orders</a></p>
    <${Title} beside=${html`<${Status} order=${order} />`}>Order of ${when(order.createdAt, { dateStyle: 'long' })}<//>
    <div role="status">
      ${order.status === 'pending' && html`<p class="note busy">It is being placed: stock and money are taken together, or not at all.</p>`}
      ${order.reason && html`<p class="note failed">${reason(order)}</p>`}
      ${order.refund && html`<p class="note">${order.refund === 'pending' ? 'Your money is on its way back.' : 'The refund failed; Souk looks into it.'}</p>`}
      ${order.status === 'cancelled' && html`<p class="note">It is cancelled. Stock and money go back.</p>`}
    </div>
    <div class="scroll" tabindex="0" role="region" aria-label="Lines of the order"><table>
      <thead><tr><th scope="col">Product</th><th scope="col" class="number">Price</th><th scope="col" class="number">Pieces</th><th scope="col" class="number">Sum</th></tr></thead>
      <tbody>${order.lines.map((line) => html`<tr key=${line.productId}><td><a href=${to('products', line.productId)}>${line.name}</a></td>
        <td class="number">${money(line.unitPrice)}</td><td class="number">${line.quantity}</td><td class="number">${money(line.lineTotal)}</td></tr>`)}</tbody>
      <tfoot><tr><th scope="row" colspan="3">Total</th><td class="number"><strong>${money(order.total)}</strong></td></tr></tfoot></table></div>
    ${order.status === 'confirmed' && html`<${Confirm} label="Cancel the order" question="Cancel the whole order?" yes="Cancel it" onYes=${async () =>
      loaded.replace((await call('POST', `/orders/${id}/cancellation`)).body)} />`}`}<//>`;
}

function reason({ reason: why, lines }) {
  if (why.code !== 'outOfStock') return why.detail;
  const name = (id) => lines.find((line) => line.productId === id)?.name ?? 'a product';
  return `Not enough in stock: ${why.lines.map((line) => `of ${name(line.productId)} there ${line.available === 1 ? 'is' : 'are'} ${plural(line.available, 'piece')}`).join('; ')}.`;
}

export function Orders({ path: [id] }) {
  return html`<${ForUser} why="Your orders are yours alone.">${() => (id ? html`<${One} id=${id} />` : html`<${List} />`)}<//>`;
}
