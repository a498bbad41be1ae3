// The shop: the newest products, those of a category, or those of a seller.
import { Empty, Loaded, More, Offer, Picture, Stars, Title, usePages } from '/page/parts.js';
import { read } from '/page/request.js';
import { go, html, number, plural, to } from '/page/view.js';
import { readPriced, useVisitor } from '/page/visitor.js';

const PAGE = 24;
const CATEGORIES = 24;

function Card({ product }) {
  const { productId, name, category, stock, rating } = product;
  return html`<li class="card">
    <a href=${to('products', productId)}>
      <${Picture} product=${product} />
      <span class="name">${name}</span>
    </a>
    <span class="row"><${Offer} product=${product} /><a class="quiet" href=${to('category', category)}>${category}</a></span>
    <span class="row"><${Stars} rating=${rating} />${
      stock === 0 ? html`<span class="tag sold">sold out</span>` : stock <= 5 && html`<span class="tag">only ${stock} left</span>`}</span>
  </li>`;
}

/** Goes to the category that was typed. */
function Search({ known }) {
  const search = (event) => {
    event.preventDefault();
    const category = new FormData(event.target).get('category').trim();
    if (category) go(to('category', category));
  };
  return html`<form class="search" role="search" onSubmit=${search}>
    <label for="category">Category</label>
    <input id="category" name="category" list="categories" maxlength="64" autocomplete="off" placeholder="tea, music …" />
    <datalist id="categories">${known.map((name) => html`<option value=${name} key=${name} />`)}</datalist>
    <button>Show</button>
  </form>`;
}

const distinct = (items) => [...new Set(items.map((product) => product.category))].sort((a, b) => a.localeCompare(b));

/** All categories, by name, with the number of their products. */
function Categories({ pages }) {
  return html`<section aria-label="Categories and the number of their products"><${Loaded} of=${pages.first} what="categories">${() => (pages.items.length || pages.next
    ? html`<ul class="chips">${pages.items.map(({ category, products }) => html`<li key=${category}>
        <a href=${to('category', category)}>${category} <span class="quiet">${number(products)}<span class="hidden"> ${products === 1 ? 'product' : 'products'}</span></span></a></li>`)}</ul>
        <${More} of=${pages} label="More categories" />`
    : html`<${Empty}>There are no categories yet: a product that is sold brings its own.<//>`)}<//></section>`;
}

/** The shop as it is entered. */
export function Front() {
  const pages = usePages((cursor, signal) => read(`/categories?${new URLSearchParams({ limit: CATEGORIES, ...(cursor && { cursor }) })}`, { signal }), [], 'categories');
  return html`<${Shop} categories=${pages} />`;
}

export function Shop({ by, of, categories }) {
  const pages = usePages(
    (cursor, signal) => readPriced(`/products?${new URLSearchParams({
      ...(by && { [by]: of }), limit: PAGE, ...(cursor && { cursor }),
    })}`, { signal }),
    [by ?? null, of ?? null, useVisitor()],
    'products',
  );
  const named = distinct(pages.items);
  const seller = by === 'seller' && pages.items[0]?.sellerName;
  const heading = by === 'category' ? of : by === 'seller' ? `From ${seller || 'this seller'}` : 'New in the souk';
  return html`<${Title} beside=${html`<${Search} known=${categories?.items.length ? categories.items.map(({ category }) => category) : named} />`}>${heading}<//>
    ${!by && html`<p class="lead">Tea, tools, textiles and tunes from small sellers, newest first.</p>`}
    ${categories && html`<${Categories} pages=${categories} />`}
    ${by === 'seller' && named.length > 1 && html`<ul class="chips" aria-label="Categories">${named.map((name) =>
      html`<li key=${name}><a href=${to('category', name)}>${name}</a></li>`)}</ul>`}
    ${by && html`<p><a href="#/">All new products</a>${pages.items.length > 0 && html`<span class="quiet"> · ${plural(pages.items.length, 'product')} shown</span>`}</p>`}
    <${Loaded} of=${pages.first} what="products">${() => (pages.items.length
      ? html`<ul class="grid">${pages.items.map((product) => html`<${Card} product=${product} key=${product.productId} />`)}</ul><${More} of=${pages} />`
      : html`<${Empty}>${by ? 'There are no products here.' : 'Nobody sells anything yet.'} <a href=${to('sell')}>Sell the first one</a>.<//>`)}<//>`;
}
