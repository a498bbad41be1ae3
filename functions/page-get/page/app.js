// The frame of the page, and the screen that the address names.
import { Unreachable } from '/page/request.js';
import { begin, logOut, session, trouble } from '/page/session.js';
import { become } from '/page/visitor.js';
import { Empty, Failed, Title, focusHeading } from '/page/parts.js';
import { basket } from '/page/basket.js';
import { Front, Shop } from '/page/shop.js';
import { html, number, render, route, to, useEffect, useState, useStore } from '/page/view.js';

/** The first part of a route, the module that has the screen, and the screen's name in it. All but the shop are loaded when needed. */
const SCREENS = {
  products: [() => import('/page/product.js'), 'Product'],
  sell: [() => import('/page/editor.js'), 'Sell'],
  edit: [() => import('/page/editor.js'), 'Edit'],
  experiments: [() => import('/page/experiments.js'), 'Experiments'],
  basket: [() => import('/page/checkout.js'), 'Basket'],
  orders: [() => import('/page/orders.js'), 'Orders'],
  watches: [() => import('/page/watch.js'), 'Watches'],
  notifications: [() => import('/page/notifications.js'), 'Notifications'],
  sale: [() => import('/page/sale.js'), 'Sale'],
  concerts: [() => import('/page/concerts.js'), 'Concerts'],
  login: [() => import('/page/account.js'), 'LogIn'],
  register: [() => import('/page/account.js'), 'Register'],
  account: [() => import('/page/account.js'), 'Account'],
  verification: [() => import('/page/account.js'), 'Verify'],
  'password-resets': [() => import('/page/account.js'), 'AskReset'],
  'password-reset': [() => import('/page/account.js'), 'Reset'],
};

const LINKS = [
  ['', 'Shop'], ['sale', 'Flash sale'], ['concerts', 'Concerts'], ['watches', 'Price watch'], ['sell', 'Sell'],
];

function Screen({ at }) {
  const [name, ...path] = at.path;
  const [state, setState] = useState({});
  const [tries, setTries] = useState(0);
  const entry = Object.hasOwn(SCREENS, name ?? '') ? SCREENS[name] : null;
  useEffect(() => {
    if (!entry) return undefined;
    let current = true;
    setState({});
    entry[0]().then(
      (module) => current && setState({ name, screen: module[entry[1]] }),
      () => {
        if (!current) return;
        setState({ name, error: new Unreachable('This part of the page could not be loaded.') });
        // Where there is a connection, the page may be an old one, whose files are served no more.
        if (tries) fetch('/', { cache: 'no-cache' }).then(({ ok }) => ok && current && location.reload(), () => {});
      },
    );
    return () => { current = false; };
  }, [name, tries]);
  if (!name) return html`<${Front} />`;
  if (name === 'category' || name === 'seller') return html`<${Shop} by=${name} of=${path[0]} key=${`${name}/${path[0]}`} />`;
  if (!entry) return html`<${Title}>Not found<//><${Empty}>The page has no such screen. <a href="#/">Go to the shop</a>.<//>`;
  if (state.name !== name) return html`<p class="note busy" role="status">Opening…</p>`;
  if (state.error) return html`<${Title}>Not loaded<//><${Failed} error=${state.error} retry=${() => setTries(tries + 1)} />`;
  return html`<${state.screen} path=${path} query=${at.query} key=${at.path.join('/')} />`;
}

function Header({ at }) {
  const user = useStore(session);
  const lines = useStore(basket);
  const here = at.path[0] ?? '';
  const link = (name, label, extra) => html`<a href=${to(...(name ? [name] : []))} aria-current=${here === name ? 'page' : undefined} ...${extra}>${label}</a>`;
  const count = lines.reduce((sum, line) => sum + line.quantity, 0);
  return html`<header class="top">
    <a class="brand" href="#/" aria-label="Souk, to the shop"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M3 13 16 3l13 10v3a3.3 3.3 0 0 1-6.500 0 3.300 3.300 0 0 1-6.500 0 3.300 3.300 0 0 1-6.500 0A3.300 3.300 0 0 1 3 16zM6 21h20v8H6z"/></svg>Souk</a>
    <nav aria-label="Main">${LINKS.map(([name, label]) => link(name, label))}</nav>
    <nav class="mine" aria-label="Yours">
      ${link('basket', html`Basket${count > 0 && html` <span class="badge">${number(count)}</span>`}`)}
      ${user ? html`${link('orders', 'Orders')}${link('account', 'Account')}
        <button type="button" class="plain" onClick=${() => logOut().catch(() => {})}>Log out</button>`
        : user === null && link('login', 'Log in')}
    </nav>
  </header>`;
}

function Offline() {
  const [online, setOnline] = useState(navigator.onLine);
  const error = useStore(trouble);
  useEffect(() => {
    const look = () => setOnline(navigator.onLine);
    addEventListener('online', look);
    addEventListener('offline', look);
    return () => { removeEventListener('online', look); removeEventListener('offline', look); };
  }, []);
  return html`<div role="status">${!online && html`<p class="offline">You are offline. What is on the screen may be old; what you send needs a connection.</p>`
    || error && html`<p class="offline">Souk does not answer whether you are logged in. The page asks again by itself.</p>`}</div>`;
}

function App() {
  const at = useStore(route);
  useEffect(() => route.subscribe(() => { document.body.dataset.moved = 'true'; }), []);
  const skip = (event) => {
    event.preventDefault();
    focusHeading();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>To the content</a>
    <${Header} at=${at} />
    <${Offline} />
    <main id="main"><${Screen} at=${at} /></main>
    <footer><p>Souk is a marketplace over an open HTTP API. <a href="/docs">The API</a> · <a href="/openapi.json">OpenAPI document</a></p></footer>`;
}

// Who is logged in has a visitor of the account.
begin().then(() => session.value || become());
const root = document.getElementById('app');
root.replaceChildren();
render(html`<${App} />`, root);
