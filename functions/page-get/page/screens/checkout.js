// The basket and the order: the total is confirmed before it is paid, and an order that was sent is sent again with the same key
// until its answer is known, also after a reload.
import { Empty, Failed, Field, Form, Loaded, Offer, Picture, Title, useLoad } from '/page/parts.js';
import { basket, put, takeOut } from '/page/basket.js';
import { Problem } from '/page/request.js';
import { call, session } from '/page/session.js';
import { go, html, money, plural, remember, to, useEffect, useState, useStore } from '/page/view.js';
import { readPriced, useVisitor } from '/page/visitor.js';

/** The order that was sent and whose answer is not known: `{key, userId, body}`. */
const sent = remember(localStorage, 'souk.order');

/** Payment methods of the provider's test mode. */
const METHODS = [
  ['pm_card_visa', 'Visa, test card'], ['pm_card_mastercard', 'Mastercard, test card'], ['pm_card_visa_chargeDeclined', 'Visa that is declined, test card'],
];

const isUndecided = (error) => !(error instanceof Problem) || error.status === 429 || error.status >= 500 || error.status === 401
  || (error.status === 409 && error.kind !== 'price-changed');

/** Sends the order that is remembered. What is refused for good is forgotten. */
async function send(order) {
  sent.write(order);
  try {
    const { body } = await call('POST', '/orders', { body: order.body, headers: { 'idempotency-key': order.key, prefer: 'wait=10' } });
    sent.write(null);
    takeOut(order.body.lines.map((line) => line.productId));
    go(to('orders', body.orderId), { replace: true });
  } catch (error) {
    if (!isUndecided(error)) sent.write(null);
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

/** The total of the lines, or `null` for several currencies. */
function totalOf(lines) {
  const currency = lines[0]?.product.price.currency;
  if (lines.some((line) => line.product.price.currency !== currency)) return null;
  return { amount: lines.reduce((sum, line) => sum + line.quantity * line.product.price.amount, 0), currency };
}

function Line({ line, fault, before }) {
  const { product, productId, quantity } = line;
  if (!product) {
    return html`<li class="line"><p>This product was withdrawn.</p><button type="button" onClick=${() => put(productId, 0)}>Take it out</button></li>`;
  }
  const sum = { ...product.price, amount: product.price.amount * quantity };
  const short = fault ?? (quantity > product.stock ? `There are only ${product.stock} left.` : null);
  return html`<li class="line">
    <${Picture} product=${product} />
    <div class="what"><a href=${to('products', productId)}>${product.name}</a><span class="quiet"><${Offer} product=${product} /> each</span>
      ${before && html`<span class="fault">It was ${money(before)} when you put it in.</span>`}
      ${short && html`<span class="fault" role="alert">${short} ${product.stock > 0 && html`<button type="button" class="plain" onClick=${() => put(productId, product.stock)}>Take ${product.stock}</button>`}</span>`}</div>
    <label class="inline"><span class="hidden">Quantity of ${product.name}</span><input type="number" min="1" max="10000" value=${quantity}
      onChange=${({ target }) => target.checkValidity() && target.value && put(productId, Number(target.value))} /></label>
    <strong class="number">${money(sum)}</strong>
    <button type="button" class="plain" aria-label=${`Take out ${product.name}`} onClick=${() => put(productId, 0)}>✕</button>
  </li>`;
}

function Pending({ order, onSettled }) {
  const [error, setError] = useState(null);
  const resend = () => {
    setError(null);
    send(order).catch((caught) => (isUndecided(caught) ? setError(caught) : onSettled(caught)));
  };
  useEffect(resend, []);
  return html`<${Title}>Your order<//>
    ${error ? html`<${Failed} error=${error} retry=${resend} /><p>The order may have been taken. Trying again cannot order twice.</p>`
      : html`<p class="note busy" role="status">Your order was sent; asking what became of it…</p>`}`;
}

function Checkout({ lines, products, user, refused, setRefused, reload }) {
  const changed = refused?.kind === 'price-changed';
  const known = lines.map((line) => ({ ...line, product: atPrice(products.get(line.productId), changed ? refused.body.lines : []) }));
  const there = known.filter((line) => line.product);
  const total = totalOf(there);
  const wanted = known.every((line) => line.product && line.quantity <= line.product.stock);
  const faults = refused?.body?.errors ?? [];
  const pay = async ({ method }) => {
    setRefused(null);
    const body = {
      lines: lines.map(({ productId, quantity }) => ({ productId, quantity })), expectedTotal: total, paymentMethod: method,
    };
    try {
      await send({ key: crypto.randomUUID(), userId: user.userId, body });
    } catch (error) {
      if (error.kind === 'order-rejected' || error.kind === 'price-changed') {
        setRefused(error);
        reload();
      } else throw error;
    }
  };
  return html`
    ${refused && html`<div class="note failed" role="alert"><p><strong>${changed ? 'A price has changed; nothing was ordered.' : refused.message}</strong>
      ${changed ? html` The total is now ${money(refused.body.total)}. Look at the prices below and confirm the new total.` : ' Nothing was taken.'}</p></div>`}
    <ul class="lines">${known.map((line, index) => html`<${Line} key=${line.productId} line=${line}
      fault=${faults.find((fault) => fault.pointer === `/lines/${index}`)?.detail} />`)}</ul>
    ${total === null ? html`<p class="note failed">The products have prices in several currencies. Order them one after the other.</p>`
      : html`<p class="total">Total <strong>${money(total)}</strong></p>
        ${user ? html`<${Form} class="panel" label=${`Pay ${money(total)}`} busyLabel="Paying…" onSubmit=${pay}>
            <${Field} label="Pay with" as="select" name="method" hint="Souk sees a token of the payment provider, never a card.">${METHODS.map(([token, label]) => html`<option value=${token} key=${token}>${label}</option>`)}<//>
            <label class="check"><input type="checkbox" name="agreed" required disabled=${!wanted} key=${money(total)} /> The total of ${money(total)} is right.</label>
          <//>` : html`<p><a class="button primary" href=${to('login', { then: '/basket' })}>Log in to order</a></p>`}`}`;
}

export function Basket() {
  const user = useStore(session);
  const lines = useStore(basket);
  const [refused, setRefused] = useState(null);
  const [pending, setPending] = useState(() => sent.read());
  const ids = lines.map((line) => line.productId).join();
  const loaded = useLoad((signal) => loadLines(lines, signal), [ids, useVisitor()]);
  if (pending && user && pending.userId === user.userId) {
    return html`<${Pending} order=${pending} onSettled=${(error) => { setPending(null); setRefused(error); loaded.reload(); }} />`;
  }
  const pieces = lines.reduce((sum, line) => sum + line.quantity, 0);
  return html`<${Title}>Basket<//>
    ${lines.length === 0 ? html`<${Empty}>Your basket is empty. <a href="#/">Look around in the shop</a>.<//>`
      : html`<p class="quiet">${plural(pieces, 'piece')}</p><${Loaded} of=${loaded} what="your basket">${(products) => html`<${Checkout} lines=${lines} products=${products}
          user=${user} refused=${refused} setRefused=${setRefused} reload=${loaded.reload} />`}<//>`}`;
}
