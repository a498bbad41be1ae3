// A product: its picture, price and stock, its ratings and reviews, and a form for one's own review.
import { Empty, Failed, Field, Form, Loaded, More, Offer, Picture, Stars, Title, Confirm, useFocus, useLoad, useOnce, usePages } from '/page/parts.js';
import { add } from '/page/basket.js';
import { read } from '/page/request.js';
import { call, session } from '/page/session.js';
import { html, number, plural, to, useState, useStore, when } from '/page/view.js';
import { readPriced, useVisitor } from '/page/visitor.js';

function Histogram({ rating }) {
  const most = Math.max(1, ...Object.values(rating.histogram));
  return html`<table class="histogram"><caption>Reviews by stars</caption><tbody>
    ${[5, 4, 3, 2, 1].map((stars) => html`<tr key=${stars}>
      <th scope="row">${plural(stars, 'star')}</th>
      <td><meter min="0" max=${most} value=${rating.histogram[stars]} aria-hidden="true"></meter></td>
      <td class="number">${number(rating.histogram[stars])}</td></tr>`)}
  </tbody></table>`;
}

function Review({ review, mine, onChange, onDeleted }) {
  const [editing, setEditing] = useState(false);
  const path = `/products/${review.productId}/reviews/${review.authorId}`;
  const headers = { 'if-match': `"${review.version}"` };
  if (editing) {
    const save = async (values) => {
      const { body } = await call('PATCH', path, { body: fromForm(values), headers });
      setEditing(false);
      onChange(body);
    };
    return html`<li class="review"><${ReviewForm} review=${review} label="Save the review" onSubmit=${save}
      secondary=${html`<button type="button" onClick=${() => setEditing(false)}>Keep it as it is</button>`} /></li>`;
  }
  return html`<li class="review">
    <p class="row"><${Stars} rating=${review.rating} /><strong>${review.title}</strong></p>
    ${review.body && html`<p class="text">${review.body}</p>`}
    <p class="quiet">${review.authorName ?? 'a former member'} · <time datetime=${review.createdAt}>${when(review.createdAt, { dateStyle: 'medium' })}</time>
      ${review.verifiedPurchase && html` · <span class="tag good">bought it here</span>`}</p>
    ${mine && html`<div class="actions"><button type="button" onClick=${() => setEditing(true)}>Change</button>
      <${Confirm} label="Delete" question="Delete your review?" yes="Delete it"
        onYes=${async () => { await call('DELETE', path, { headers }); onDeleted(review); }} /></div>`}
  </li>`;
}

const fromForm = ({ rating, title, body }) => ({ rating: Number(rating), title: title.trim(), body: body.trim() });

function ReviewForm({ review, label, onSubmit, secondary }) {
  return html`<${Form} class="panel" label=${label} secondary=${secondary} onSubmit=${onSubmit}>${(error) => html`
    <fieldset class="rate"><legend>Stars</legend>${[1, 2, 3, 4, 5].map((stars) => html`<label key=${stars}>
      <input type="radio" name="rating" value=${stars} required defaultChecked=${(review?.rating ?? 5) === stars} /><span aria-hidden="true">★</span> ${stars}</label>`)}</fieldset>
    <${Field} label="In a few words" name="title" required maxlength="200" at="/title" error=${error} defaultValue=${review?.title} />
    <${Field} label="More about it" as="textarea" name="body" rows="4" maxlength="10000" at="/body" error=${error} defaultValue=${review?.body} />`}<//>`;
}

function Reviews({ product }) {
  const user = useStore(session);
  const [stars, setStars] = useState('');
  const [changes, setChanges] = useState(null);
  const id = product.productId;
  const pages = usePages(
    (cursor, signal) => (!cursor && !stars ? Promise.resolve(product.reviews)
      : read(`/products/${id}/reviews?${new URLSearchParams({ limit: 10, ...(stars && { stars }), ...(cursor && { cursor }) })}`, { signal })),
    [id, stars],
  );
  const changed = new Map((changes ?? []).map((review) => [review.authorId, review]));
  const listed = pages.items.filter((review) => !changed.has(review.authorId));
  const reviews = [...(changes ?? []).filter((review) => !review.deleted && (!stars || review.rating === Number(stars))), ...listed];
  // The form that was sent, or the dialog, is gone after it.
  const heading = useFocus(changes);
  const set = (review) => setChanges((before) => [review, ...(before ?? []).filter((other) => other.authorId !== review.authorId)]);
  const mine = user && reviews.some((review) => review.authorId === user.userId);
  const send = useOnce();
  const write = async (values) => set((await send('POST', `/products/${id}/reviews`, fromForm(values))).body);
  return html`<section aria-labelledby="reviews"><div class="title"><h2 id="reviews" ref=${heading} tabindex="-1">Reviews</h2>
    <label class="inline">Show <select value=${stars} onChange=${(event) => setStars(event.target.value)}>
      <option value="">all</option>${[5, 4, 3, 2, 1].map((count) => html`<option value=${count} key=${count}>${plural(count, 'star')}</option>`)}</select></label></div>
    <${Loaded} of=${pages.first} what="reviews">${() => html`
      ${reviews.length ? html`<ul class="reviews">${reviews.map((review) => html`<${Review} key=${review.authorId} review=${review}
          mine=${user?.userId === review.authorId} onChange=${set} onDeleted=${() => set({ ...review, deleted: true })} />`)}</ul>`
        : html`<${Empty}>${stars ? 'No review gave that many stars.' : 'Nobody has reviewed it yet.'}<//>`}
      <${More} of=${pages} />`}<//>
    ${user && !mine && user.userId !== product.sellerId && html`<h3>Your review</h3><${ReviewForm} label="Publish the review" onSubmit=${write} />`}
    ${user === null && html`<p><a href=${to('login', { then: location.hash.slice(1) })}>Log in</a> to write a review.</p>`}
  </section>`;
}

function Buy({ product }) {
  const [added, setAdded] = useState(0);
  if (product.stock === 0) return html`<p class="tag sold">sold out</p>`;
  const buy = (event) => {
    event.preventDefault();
    const quantity = Number(new FormData(event.target).get('quantity'));
    add(product, quantity);
    setAdded(added + quantity);
  };
  return html`<form class="buy" onSubmit=${buy}>
    <label for="quantity">Quantity</label>
    <input id="quantity" name="quantity" type="number" min="1" max=${Math.min(product.stock, 10000)} value="1" required />
    <button class="primary">Put into the basket</button>
    <p role="status">${added > 0 && html`${plural(added, 'piece')} in the basket. <a href=${to('basket')}>Go to the basket</a>`}</p>
  </form>`;
}

export function Product({ path: [id] }) {
  const user = useStore(session);
  const loaded = useLoad((signal) => readPriced(`/products/${encodeURIComponent(id)}`, { signal }), [id ?? null, useVisitor()]);
  if (loaded.status === 'failed') return html`<${Title}>Product<//><${Failed} error=${loaded.error} retry=${loaded.reload} />`;
  return html`<${Loaded} of=${loaded} what="the product">${(product) => html`
    <p class="crumbs"><a href="#/">Shop</a> / <a href=${to('category', product.category)}>${product.category}</a></p>
    <article class="product">
      <${Picture} product=${product} />
      <div>
        <${Title}>${product.name}<//>
        <p class="row"><${Stars} rating=${product.rating} />
          <span class="quiet">sold by <a href=${to('seller', product.sellerId)}>${product.sellerName ?? 'a seller'}</a></span></p>
        <p class="large"><${Offer} product=${product} /></p>
        <p>${product.stock > 0 ? html`<span class="tag good">${product.stock <= 5 ? `only ${number(product.stock)} left` : `${number(product.stock)} in stock`}</span>` : ''}</p>
        ${user?.userId === product.sellerId ? html`<p class="actions"><a class="button" href=${to('edit', id)}>Change this product</a><a class="button" href=${to('experiments', 'new', { product: id })}>Test another price</a></p>` : html`<${Buy} product=${product} />`}
        <p class="text">${product.description || 'The seller says nothing more about it.'}</p>
        ${product.rating.count > 0 && html`<${Histogram} rating=${product.rating} />`}
      </div>
    </article>
    <${Reviews} product=${product} />`}<//>`;
}
