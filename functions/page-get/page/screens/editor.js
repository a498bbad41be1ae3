// What a seller does: publish a product, change it, count its stock, withdraw it.
import { Confirm, Failed, Field, Form, ForUser, Loaded, Title, focusHeading, useFocus, useLoad, useOnce } from '/page/parts.js';
import { Problem, fault } from '/page/request.js';
import { call } from '/page/session.js';
import { go, html, major, minorAmount, money, number, to, useState } from '/page/view.js';
import { readUnpriced } from '/page/visitor.js';

const CURRENCIES = ['SGD', 'EUR', 'USD', 'GBP', 'JPY', 'MYR', 'INR', 'AUD', 'CHF'];

/** The greatest price, in the minor unit of its currency. */
const MOST = 99_999_999_999;

/** The fields that a patch may have, by the form's names. */
function draftOf({ name, description, category, amount, currency, imageUrl }) {
  const price = { amount: minorAmount(amount, currency), currency };
  if (!(price.amount > 0)) throw fault('/price/amount', 'must be an amount above zero, such as 12.50');
  if (price.amount > MOST) throw fault('/price/amount', `must be ${number(major({ amount: MOST, currency }))} at most`);
  return { name: name.trim(), description: description.trim(), category: category.trim(), price, imageUrl: imageUrl.trim() || null };
}

const shown = (product) => ({
  name: product.name, description: product.description, category: product.category, price: product.price, imageUrl: product.imageUrl ?? null,
});

function Fields({ product, error }) {
  const currencies = [...new Set([product?.price.currency, ...CURRENCIES].filter(Boolean))];
  return html`
    <${Field} label="Name" name="name" required maxlength="200" at="/name" error=${error} defaultValue=${product?.name} />
    <${Field} label="Description" as="textarea" rows="5" name="description" maxlength="5000" at="/description" error=${error} defaultValue=${product?.description} />
    <${Field} label="Category" name="category" required maxlength="64" at="/category" error=${error} defaultValue=${product?.category} />
    <div class="pair">
      <${Field} label="Price" name="amount" required inputmode="decimal" pattern="[0-9]+([.,][0-9]+)?" at="/price/amount" error=${error}
        defaultValue=${product && String(major(product.price))} />
      <${Field} label="Currency" as="select" name="currency" at="/price/currency" error=${error}>${currencies.map((code) =>
        html`<option key=${code} selected=${code === product?.price.currency}>${code}</option>`)}<//>
    </div>
    <${Field} label="Address of a picture" hint="Begins with https://. Without one, the page draws something." name="imageUrl" type="url"
      maxlength="2048" at="/imageUrl" error=${error} defaultValue=${product?.imageUrl} />`;
}

export function Sell() {
  const send = useOnce();
  const publish = async (values) => {
    const { imageUrl, ...draft } = draftOf(values);
    const { body } = await send('POST', '/products', { ...draft, stock: Number(values.stock), ...(imageUrl && { imageUrl }) });
    go(to('products', body.productId));
  };
  return html`<${ForUser} why="To sell, Souk has to know who you are.">${(user) => html`
    <${Title} beside=${html`<span class="actions"><a class="button" href=${to('experiments')}>Price experiments</a><a class="button" href=${to('seller', user.userId)}>Your products</a></span>`}>Sell a product<//>
    <${Form} class="panel" label="Publish" onSubmit=${publish}>${(error) => html`<${Fields} error=${error} />
      <${Field} label="Pieces in stock" name="stock" type="number" min="0" max="1000000000" defaultValue="1" required at="/stock" error=${error} />`}<//>`}<//>`;
}

const NAMES = { name: 'Name', description: 'Description', category: 'Category', price: 'Price', imageUrl: 'Picture' };
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const text = (field, value) => (field === 'price' ? money(value) : value || '—');

/**
 * Somebody else, or another tab, has changed the product: both versions side by side, and for each difference a choice. Chosen are
 * the fields of this form that differ from `base`, which the form began with, and for the others what they are now.
 */
function Conflict({ base, mine, theirs, onSave, onDrop }) {
  const heading = useFocus(true);
  const fields = Object.keys(NAMES).filter((field) => !same(mine[field], theirs[field]));
  const save = (values) => onSave(Object.fromEntries(fields.filter((field) => values[field] === 'mine').map((field) => [field, mine[field]])));
  return html`<section class="note conflict" role="alert" aria-labelledby="conflict">
    <h2 id="conflict" ref=${heading} tabindex="-1">The product was changed meanwhile</h2>
    <p>Nothing of yours was saved yet. Choose what each field shall say.</p>
    <${Form} label="Save the choice" onSubmit=${save} secondary=${html`<button type="button" onClick=${onDrop}>Drop my changes</button>`}>
      <div class="scroll" tabindex="0" role="region" aria-label="Both versions"><table><thead><tr><th scope="col">Field</th><th scope="col">Yours</th><th scope="col">As it is now</th></tr></thead>
      <tbody>${fields.map((field) => html`<tr key=${field}><th scope="row">${NAMES[field]}</th>
        <td><label class="choice"><input type="radio" name=${field} value="mine" defaultChecked=${!same(mine[field], base[field])} /> ${text(field, mine[field])}</label></td>
        <td><label class="choice"><input type="radio" name=${field} value="theirs" defaultChecked=${same(mine[field], base[field])} /> ${text(field, theirs[field])}</label></td></tr>`)}
        ${fields.length === 0 && html`<tr><td colspan="3">Both say the same.</td></tr>`}</tbody></table></div>
    <//></section>`;
}

function Stock({ product, onChange }) {
  const send = useOnce();
  const change = async ({ how, pieces }) => {
    const body = how === 'count' ? { stock: Number(pieces) } : { delta: how === 'more' ? Number(pieces) : -Number(pieces) };
    onChange((await send('PUT', `/products/${product.productId}/stock`, body)).body.stock);
  };
  return html`<${Form} class="panel" label="Change the stock" onSubmit=${change}>${(error) => html`
    <h2>Stock</h2><p role="status">There are ${product.stock} now. Orders change it too.</p>
    <div class="pair"><${Field} label="What happened" as="select" name="how"><option value="more">more have come</option><option value="fewer">some are gone</option><option value="count">I counted</option><//>
    <${Field} label="Pieces" name="pieces" type="number" min="0" max="1000000000" required defaultValue="1" at="/stock" error=${error} /></div>`}<//>`;
}

function Editor({ product, onChange }) {
  const [conflict, setConflict] = useState(null);
  const [saved, setSaved] = useState(false);
  const status = useFocus(saved);
  const path = `/products/${product.productId}`;
  const patch = async (body, version, mine, base) => {
    setSaved(false);
    try {
      const answer = await call('PATCH', path, { body, headers: { 'if-match': `"${version}"` } });
      setConflict(null);
      setSaved(true);
      onChange({ ...product, ...answer.body, imageUrl: answer.body.imageUrl });
    } catch (error) {
      if (error.status !== 412) throw error;
      const theirs = await readUnpriced(path);
      setConflict({ base, mine, theirs });
    }
  };
  const save = (values) => {
    const mine = draftOf(values);
    const before = shown(product);
    const body = Object.fromEntries(Object.entries(mine).filter(([field, value]) => !same(value, before[field])));
    return patch(body, product.version, { ...before, ...mine }, before);
  };
  const drop = () => {
    onChange({ ...product, ...conflict.theirs });
    setConflict(null);
    focusHeading();
  };
  return html`
    ${conflict && html`<${Conflict} key=${conflict.theirs.version} base=${conflict.base} mine=${conflict.mine} theirs=${shown(conflict.theirs)} onDrop=${drop}
      onSave=${(body) => patch(body, conflict.theirs.version, { ...shown(conflict.theirs), ...body }, shown(conflict.theirs))} />`}
    <${Form} class="panel" label="Save" key=${product.version} hidden=${Boolean(conflict)} onSubmit=${save}>${(error) => html`<${Fields} product=${product} error=${error} />`}<//>
    <p role="status" ref=${status} tabindex="-1">${saved && html`Saved. <a href=${to('products', product.productId)}>See the product</a>`}</p>
    <${Stock} product=${product} onChange=${(stock) => onChange({ ...product, stock })} />
    <section class="panel"><h2>Withdraw</h2><p>Readers find it no more, at once; its reviews are removed soon after.</p>
      <${Confirm} label="Withdraw the product" question="Withdraw it for good?" yes="Withdraw it" onYes=${async () => {
        await call('DELETE', path, { headers: { 'if-match': '*' } });
        go(to('seller', product.sellerId));
      }} /></section>`;
}

export function Edit({ path: [id] }) {
  const loaded = useLoad((signal) => readUnpriced(`/products/${encodeURIComponent(id)}`, { signal }), [id ?? null]);
  return html`<${ForUser} why="Only its seller changes a product.">${(user) => html`
    <${Title} beside=${html`<a class="button" href=${to('products', id)}>See it</a>`}>Change a product<//>
    <${Loaded} of=${loaded} what="the product">${(product) => (product.sellerId === user.userId
      ? html`<${Editor} product=${product} onChange=${loaded.replace} />`
      : html`<${Failed} error=${new Problem(403, { detail: 'This product is somebody else’s.' }, new Headers())} />`)}<//>`}<//>`;
}
