// The basket and the order: the total is confirmed before it is paid, and an order that was sent is sent again with the same key
// until its answer is known, also after a reload.
import { Empty, Failed, Field, Form, Loaded, Offer, Picture, Title, useLoad } from '/page/parts.js';
import { basket, isCurrent, put, takeOut } from '/page/basket.js';
import { isUndecided } from '/page/request.js';
import { call, session } from '/page/session.js';
import { go, html, money, number, plural, remember, to, useEffect, useState, useStore, when } from '/page/view.js';
import { readPriced, useVisitor } from '/page/visitor.js';

/** How long the API knows an order by its key, less an hour. */
const KEY_LASTS_MS = 23 * 60 * 60 * 1000;

/** The order that was sent and whose answer is not known: `{key, userId, at, body}`. */
const sent = remember(localStorage, 'souk.order');

/** Payment methods of the provider's test mode. */
const METHODS = [
  ['pm_card_visa', 'Visa, test card'], ['pm_card_mastercard', 'Mastercard, test card'], ['pm_card_visa_chargeDeclined', 'Visa that is declined, test card'],
];

/** The user's order whose answer is not known. */
const sentBy = ({ userId }) => {
  const order = sent.read();
  return order?.userId === userId ? order : null;
};

/**
 * Remembers an order before it is sent. Tabs do so one after the other, under a lock: `false` if one of them has sent an order whose
 * answer is not known, or has ordered what was in the basket.
 */
const claim = (order, lines) => navigator.locks.request('souk.order', () => {
  if (sentBy(order) || !isCurrent(lines)) return false;
  sent.write(order);
  return true;
});

/** Forgets an order whose answer is known. Another tab may have sent another one since. */
const settle = (order) => { if (sent.read()?.key === order.key) sent.write(null); };

/** Sends the order that is remembered. What is refused for good is forgotten. */
async function send(order) {
  try {
    const { body } = await call('POST', '/orders', { body: order.body, headers: { 'idempotency-key': order.key, prefer: 'wait=10' } });
    // In this order: another tab must not find a full basket and no order.
    takeOut(order.body.lines.map((line) => line.productId));
    settle(order);
    go(to('orders', body.orderId), { replace: true });
  } catch (error) {
    if (!isUndecided(error)) settle(order);
    throw error;
  }
}

async function loadLines(lines, signal) {
  const found = await Promise.all(lines.map(({ productId }) => readPriced(`/products/${encodeURIComponent(productId)}`, { signal })
    .catch((error) => (error.status === 404 ? null : Promise.reject(error)))));
  return new Map(lines.map(({ productId }, index) => [productId, found[index]]));
}

/** A product at the price that an order was told, which is what it costs. */
function atPrice(product, told = []) {
  const line = product && told.find(({ productId }) => productId === product.productId);
  return line ? { ...product, price: line.unitPrice } : product;
}

/** The total of the lines: `null` for several currencies, `undefined` for no lines. */
function totalOf(lines) {
  if (lines.length === 0) return undefined;
  const { currency } = lines[0].product.price;
  if (lines.some((line) => line.product.price.currency !== currency)) return null;
  return { amount: lines.reduce((sum, line) => sum + line.quantity * line.product.price.amount, 0), currency };
}

function Line({ line, fault }) {
  const { product, productId, quantity, name } = line;
  if (!product) {
    return html`<li class="gone"><p>${name ? html`<strong>${name}</strong>` : 'This product'} was withdrawn.</p><button type="button" onClick=${() => put(productId, 0)}>Take it out</button></li>`;
  }
  const sum = { ...product.price, amount: product.price.amount * quantity };
  const short = quantity > product.stock ? shortage(product.stock) : fault;
  return html`<li class="line">
    <${Picture} product=${product} />
    <div class="what"><a href=${to('products', productId)}>${product.name}</a><span class="quiet"><${Offer} product=${product} /> each</span>
      ${short && html`<span class="fault" role="alert">${short} ${product.stock > 0 && product.stock < quantity && html`<button type="button" class="plain" onClick=${() => put(productId, product.stock)}>Take ${product.stock}</button>`}</span>`}</div>
    <label class="inline"><span class="hidden">Quantity of ${product.name}</span><input type="number" min="1" max="10000" value=${quantity}
      onChange=${({ target }) => target.checkValidity() && target.value && put(productId, Number(target.value))} /></label>
    <strong class="number">${money(sum)}</strong>
    <button type="button" class="plain" aria-label=${`Take out ${product.name}`} onClick=${() => put(productId, 0)}>✕</button>
  </li>`;
}

/** Whether an order was refused for what is in it. */
const isRefused = (error) => error.kind === 'order-rejected' || error.kind === 'price-changed'
  || error.body?.errors?.some(({ pointer }) => pointer?.startsWith('/lines/'));

const shortage = (left) => (left === 0 ? 'It is sold out.' : left === 1 ? 'There is only 1 left.' : `There are only ${number(left)} left.`);

function Pending({ order, onSettled }) {
  const [error, setError] = useState(null);
  const resend = () => {
    setError(null);
    send(order).catch((caught) => (isUndecided(caught) ? setError(caught) : onSettled(caught)));
  };
  const isOld = Date.now() - order.at > KEY_LASTS_MS;
  useEffect(() => { if (!isOld) resend(); }, []);
  const forget = () => {
    settle(order);
    onSettled(null);
  };
  if (isOld) {
    return html`<${Title}>Your order<//><p class="note failed" role="alert">An order was sent on ${when(order.at)}, and no answer came. Look at
      ${' '}<a href=${to('orders')}>your orders</a> whether it was taken, before you order again.</p>
      <p><button type="button" onClick=${forget}>Go to the basket</button></p>`;
  }
  return html`<${Title}>Your order<//>
    ${error ? html`<${Failed} error=${error} retry=${resend} /><p>The order may have been taken. Trying again cannot order twice.</p>`
      : html`<p class="note busy" role="status">Your order was sent; asking what became of it…</p>`}`;
}

function Checkout({ lines, products, user, refused, setRefused, reload, resume }) {
  const changed = refused?.kind === 'price-changed';
  const known = lines.map((line) => ({ ...line, product: atPrice(products.get(line.productId), changed ? refused.body.lines : []) }));
  const there = known.filter((line) => line.product);
  const total = totalOf(there);
  const orderable = known.every((line) => line.product && line.quantity <= line.product.stock);
  const faults = refused?.body?.errors ?? [];
  const pay = async ({ method }) => {
    setRefused(null);
    const body = {
      lines: lines.map(({ productId, quantity }) => ({ productId, quantity })), expectedTotal: total, paymentMethod: method,
    };
    const order = { key: crypto.randomUUID(), userId: user.userId, at: Date.now(), body };
    if (!await claim(order, lines)) return resume();
    try {
      await send(order);
    } catch (error) {
      if (sentBy(user)) resume();
      else if (isRefused(error)) {
        setRefused(error);
        reload();
      } else throw error;
    }
    return undefined;
  };
  return html`
    ${refused && html`<div class="note failed" role="alert"><p><strong>${changed ? 'A price has changed; nothing was ordered.' : refused.status === 400 ? 'This cannot be ordered.' : refused.message}</strong>
      ${changed ? html` The total is now ${money(refused.body.total)}. Look at the prices below and confirm the new total.` : ' Nothing was taken.'}</p></div>`}
    <ul class="lines">${known.map((line, index) => html`<${Line} key=${line.productId} line=${line}
      fault=${faults.find(({ pointer }) => `${pointer}/`.startsWith(`/lines/${index}/`))?.detail} />`)}</ul>
    ${total === undefined ? null : total === null ? html`<p class="note failed">The products have prices in several currencies. Order them one after the other.</p>`
      : html`<p class="total">Total <strong>${money(total)}</strong></p>
        ${!orderable ? html`<p class="note">Take out what was withdrawn, and lower what is short. Then you can pay.</p>`
          : user === undefined ? html`<p class="note busy" role="status">Looking for your session…</p>`
          : user ? html`<${Form} class="panel" label=${`Pay ${money(total)}`} busyLabel="Paying…" onSubmit=${pay}>
            <${Field} label="Pay with" as="select" name="method" hint="Souk sees a token of the payment provider, never a card.">${METHODS.map(([token, label]) => html`<option value=${token} key=${token}>${label}</option>`)}<//>
            <label class="check"><input type="checkbox" name="agreed" required key=${money(total)} /> The total of ${money(total)} is right.</label>
          <//>` : html`<p><a class="button primary" href=${to('login', { then: '/basket' })}>Log in to order</a></p>`}`}`;
}

export function Basket() {
  const user = useStore(session);
  const lines = useStore(basket);
  const [refused, setRefused] = useState(null);
  const [pending, setPending] = useState(() => sent.read());
  const ids = lines.map((line) => line.productId).join();
  const loaded = useLoad((signal) => loadLines(lines, signal), [ids, useVisitor()]);
  // What an order was refused for is no more once the basket is another.
  useEffect(() => setRefused((before) => (before?.kind === 'price-changed' ? before : null)), [lines]);
  if (pending && user && pending.userId === user.userId) {
    return html`<${Pending} order=${pending} onSettled=${(error) => { setPending(null); setRefused(error); loaded.reload(); }} />`;
  }
  const pieces = lines.reduce((sum, line) => sum + line.quantity, 0);
  return html`<${Title}>Basket<//>
    ${lines.length === 0 ? html`<${Empty}>Your basket is empty. <a href="#/">Look around in the shop</a>.<//>`
      : html`<p class="quiet">${plural(pieces, 'piece')}</p><${Loaded} of=${loaded} what="your basket">${(products) => html`<${Checkout} lines=${lines} products=${products}
          user=${user} refused=${refused} setRefused=${setRefused} reload=${loaded.reload} resume=${() => setPending(sentBy(user))} />`}<//>`}`;
}
