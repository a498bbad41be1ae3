// What every module of the page is written with: markup, state, the route, and values in the reader's language.
import { h, render } from '/page/preact.mjs';
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from '/page/preact-hooks.mjs';
import htm from '/page/htm.mjs';

export { render, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };

export const html = htm.bind(h);

/** A value that components are drawn anew for when it changes. */
export class Store {
  #listeners = new Set();
  constructor(value) {
    this.value = value;
  }
  set(value) {
    this.value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function useStore(store) {
  const [, setSeen] = useState(store.value);
  useEffect(() => {
    setSeen(store.value);
    return store.subscribe(setSeen);
  }, [store]);
  return store.value;
}

/** The part of the address after `#`, such as `#/products/ID?x=y`; links in mails have `#verification=TOKEN`. */
export function readRoute(hash) {
  const text = hash.replace(/^#\/?/, '');
  const mail = /^(verification|password-reset)=(.+)$/.exec(text);
  if (mail) return { hash, path: [mail[1]], query: new URLSearchParams({ token: mail[2] }) };
  const [path, query] = text.split('?');
  return { hash, path: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** What was left at each entry of the browser's history: `{scroll, lists}`. An entry that is left for another is found again by its id. */
const entries = new Map();
let entry = null;

/** Takes up the entry that the browser is at; returns how far it was scrolled down when it was left, 0 for a new one. */
function enter() {
  if (entry) entry.scroll = scrollY;
  let id = history.state?.entry;
  if (!entries.has(id)) {
    id = crypto.randomUUID();
    history.replaceState({ entry: id }, '');
    entries.set(id, { scroll: 0, lists: new Map() });
  }
  entry = entries.get(id);
  return entry.scroll;
}

/** The pages of a list, as they were when this entry of the history was left. */
export const kept = (key) => entry.lists.get(key);
export const keep = (key, pages) => { entry.lists.set(key, pages); };

/** After a change of what lists have in them. */
export const forgetLists = () => entries.forEach(({ lists }) => lists.clear());

const SCROLL_FOR_MS = 3000;

/** Scrolls down to where the reader was, as soon as there is as much to see, unless the reader goes on before. */
function scrollBack(to) {
  const until = performance.now() + SCROLL_FOR_MS;
  const own = new AbortController();
  for (const type of ['wheel', 'touchstart', 'keydown', 'pointerdown', 'hashchange']) addEventListener(type, () => own.abort(), { signal: own.signal, passive: true });
  const look = () => {
    if (own.signal.aborted) return;
    scrollTo(0, to);
    if (Math.abs(scrollY - to) > 1 && performance.now() < until) requestAnimationFrame(look);
    else own.abort();
  };
  requestAnimationFrame(look);
}

history.scrollRestoration = 'manual';
enter();
export const route = new Store(readRoute(location.hash));
addEventListener('hashchange', () => {
  const down = enter();
  route.set(readRoute(location.hash));
  if (down) scrollBack(down);
  else scrollTo(0, 0);
});

/** A link to a screen: `to('products', id)`, `to('concerts', {radius: 5})`. */
export function to(...parts) {
  const query = typeof parts.at(-1) === 'object' ? parts.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const tail = given.length ? `?${new URLSearchParams(given)}` : '';
  return `#/${parts.map(encodeURIComponent).join('/')}${tail}`;
}

export function go(link, { replace = false } = {}) {
  if (replace) location.replace(link);
  else location.hash = link;
}

const digits = new Map();

/** How many digits the minor unit of a currency has. */
export function minorDigits(currency) {
  if (!digits.has(currency)) {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency });
    digits.set(currency, format.resolvedOptions().maximumFractionDigits);
  }
  return digits.get(currency);
}

export const major = ({ amount, currency }) => amount / 10 ** minorDigits(currency);

export function money(price) {
  if (!price) return 'no price';
  return new Intl.NumberFormat(undefined, { style: 'currency', currency: price.currency }).format(major(price));
}

/** An amount that was typed, in the minor unit; NaN for what is no amount. */
export function minorAmount(text, currency) {
  const places = minorDigits(currency);
  const typed = String(text).trim().replace(',', '.');
  const form = places ? new RegExp(`^\\d+(\\.\\d{1,${places}})?$`) : /^\d+$/;
  return form.test(typed) ? Math.round(Number(typed) * 10 ** places) : NaN;
}

export const number = (value, options) => new Intl.NumberFormat(undefined, options).format(value);

export const when = (time, options = { dateStyle: 'medium', timeStyle: 'short' }) =>
  new Intl.DateTimeFormat(undefined, options).format(new Date(time));

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

/** A value that outlives a reload of the page. */
export function remember(storage, name) {
  // A browser that stores nothing keeps the value until the page is left.
  let unstored = null;
  return {
    read() {
      try {
        return unstored ?? JSON.parse(storage.getItem(name));
      } catch {
        return null;
      }
    },
    write(value) {
      unstored = null;
      try {
        if (value === null) storage.removeItem(name);
        else storage.setItem(name, JSON.stringify(value));
      } catch {
        unstored = value;
      }
    },
  };
}
