// The parts that screens are made of.
import { Problem, Unreachable, isUndecided } from '/page/request.js';
import { call, session, trouble } from '/page/session.js';
import { html, keep, kept, money, number, plural, to, useEffect, useId, useRef, useState, useStore } from '/page/view.js';
import { useShown } from '/page/visitor.js';

/** The heading of a screen, which has the focus when the screen is opened, and names the document. */
export function Title({ children, beside }) {
  const heading = useRef();
  const text = [children].flat().join('');
  useEffect(() => {
    document.title = text ? `${text} · Souk` : 'Souk';
  }, [text]);
  useEffect(() => {
    if (document.body.dataset.moved) heading.current.focus({ preventScroll: true });
  }, []);
  return html`<div class="title"><h1 ref=${heading} tabindex="-1">${children}</h1>${beside}</div>`;
}

/** The focus goes to the heading of the screen when what had it is gone. */
export const focusHeading = () => document.querySelector('main h1')?.focus();

/** A reference for an element that gets the focus when `cause` becomes another that is true: what had the focus may be gone by then. */
export function useFocus(cause) {
  const element = useRef();
  useEffect(() => { if (cause) element.current?.focus(); }, [cause]);
  return element;
}

/** Sends requests with an idempotency key, which stays the same until it is known what became of a request. */
export function useOnce() {
  const key = useRef(crypto.randomUUID());
  const renew = () => { key.current = crypto.randomUUID(); };
  return async (method, path, body) => {
    try {
      const answer = await call(method, path, { body, headers: { 'idempotency-key': key.current } });
      renew();
      return answer;
    } catch (error) {
      if (!isUndecided(error)) renew();
      throw error;
    }
  };
}

/**
 * Loads a value when `inputs` change: `{status: 'loading' | 'failed' | 'ready', value, error, reload}`. An input that is `undefined` is
 * not known yet, and nothing is loaded; nor is it while the value is the one that was `given`.
 */
export function useLoad(load, inputs, given) {
  const [state, setState] = useState(given === undefined ? { status: 'loading' } : { status: 'ready', value: given });
  const [count, setCount] = useState(0);
  const isGiven = useRef(given !== undefined);
  useEffect(() => {
    if (isGiven.current || inputs.includes(undefined)) return undefined;
    const controller = new AbortController();
    setState((before) => ({ ...before, status: before.value === undefined ? 'loading' : 'ready' }));
    load(controller.signal).then(
      (value) => controller.signal.aborted || setState({ status: 'ready', value }),
      (error) => controller.signal.aborted || setState({ status: 'failed', error }),
    );
    return () => controller.abort();
  }, [...inputs, count]);
  useEffect(() => {
    if (!isGiven.current) setState({ status: 'loading' });
    isGiven.current = false;
  }, inputs);
  const reload = () => setCount((before) => before + 1);
  const replace = (value) => setState({ status: 'ready', value });
  return { ...state, reload, replace };
}

/** What is shown of a value that is loaded. */
export function Loaded({ of, children, what = 'this' }) {
  if (of.status === 'failed') return html`<${Failed} error=${of.error} retry=${of.reload} />`;
  if (of.status === 'loading' || of.value === undefined) return html`<p class="note busy" role="status">Loading ${what}…</p>`;
  return children(of.value);
}

/** What went wrong and what to do about it. */
export function Failed({ error, retry }) {
  const [head, advice] = explain(error);
  return html`<div class="note failed" role="alert">
    <p><strong>${head}</strong> ${advice}</p>
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

export function explain(error) {
  if (error instanceof Unreachable) {
    return [error.message, 'Nothing was lost: check the connection and try again.'];
  }
  if (!(error instanceof Problem)) return ['The page has a fault.', 'Reload it; if that does not help, report it.'];
  const { status, body, retryAfter } = error;
  if (status === 401) return ['You are not logged in.', 'Your session has ended, or what you typed is not right.'];
  if (status === 404) return ['There is nothing here.', 'It may have been withdrawn, or the link is not complete.'];
  if (status === 429) return ['That was too often.', `Try again ${retryAfter ? `in ${plural(retryAfter, 'second')}` : 'later'}.`];
  if (status >= 500) return ['Souk has a problem.', `Try again in a moment.${body.instance ? ` When you report it, quote ${body.instance}.` : ''}`];
  if (error.kind === 'idempotency-mismatch') return ['It may have been taken already.', 'An earlier try had no answer. Look whether it is there, before you send another.'];
  if (status !== 400 || !body.errors) return [error.message, ''];
  const elsewhere = body.errors.filter((fault) => fault.label || !error.placed.has(fault.pointer));
  const faults = elsewhere.map((fault) => `${fault.label ?? placeOf(fault.pointer)} ${fault.detail}`.trim());
  return ['Something is not right yet.', faults.length ? `${faults.join('; ')}.` : ''];
}

/** The place of a fault that no field shows, in words: `starts at` for `/startsAt`. */
const placeOf = (pointer = '') => (pointer.split('/').findLast((part) => part && !/^\d+$/.test(part)) ?? '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export const Empty = ({ children }) => html`<p class="note empty">${children}</p>`;

/** A form that sends once at a time, and shows what was refused beside the field that it is about. */
export function Form({ children, onSubmit, label, busyLabel = 'Sending…', secondary, ...rest }) {
  const [state, setState] = useState({});
  const alive = useRef(true);
  const element = useRef();
  useEffect(() => () => { alive.current = false; }, []);
  useEffect(() => { if (state.error) element.current.querySelector('[aria-invalid=true]')?.focus(); }, [state.error]);
  async function submit(event) {
    event.preventDefault();
    if (state.busy) return;
    const form = event.target;
    setState({ busy: true });
    let error;
    try {
      await onSubmit(Object.fromEntries(new FormData(form)), form);
    } catch (caught) {
      error = caught;
    }
    if (alive.current) setState({ error });
  }
  return html`<form novalidate=${false} ref=${element} onSubmit=${submit} ...${rest}>
    ${typeof children === 'function' ? children(state.error) : children}
    ${state.error && html`<${Failed} error=${state.error} />`}
    <div class="actions"><button class="primary" aria-disabled=${Boolean(state.busy)}>${state.busy ? busyLabel : label}</button>${secondary}</div>
  </form>`;
}

/** A labelled field. `at` is the JSON pointer that the API names its faults by. */
export function Field({ label, hint, at, error, as = 'input', children, ...rest }) {
  const id = useId();
  const fault = (error instanceof Problem && at && error.fault(at)) || undefined;
  if (fault) error.placed.add(at);
  const described = [hint && `${id}h`, fault && `${id}f`].filter(Boolean).join(' ') || undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <${as} id=${id} aria-describedby=${described} aria-invalid=${fault ? 'true' : undefined} ...${rest}>${children}</${as}>
    ${hint && html`<small id=${`${id}h`}>${hint}</small>`}
    ${fault && html`<small id=${`${id}f`} class="fault">${fault}</small>`}
  </div>`;
}

/** Shows its content to a user who is logged in, and the others the way to it. */
export function ForUser({ children, why }) {
  const user = useStore(session);
  const error = useStore(trouble);
  if (user === undefined && error) return html`<${Title}>Your session<//><${Failed} error=${error} /><p>The page asks again by itself.</p>`;
  if (user === undefined) return html`<p class="note busy" role="status">Looking for your session…</p>`;
  if (!user) {
    const then = location.hash.slice(1);
    return html`<${Title}>Log in<//><${Empty}>${why} <a class="button" href=${to('login', { then })}>Log in</a> or
      ${' '}<a href=${to('register', { then })}>open an account</a>.<//>`;
  }
  return children(user);
}

/** Five stars, and for those who do not see them a text. */
export function Stars({ rating }) {
  const { average, count } = typeof rating === 'number' ? { average: rating } : rating;
  if (average === null) return html`<span class="stars none">no reviews yet</span>`;
  const shown = Math.round(average * 2) / 2;
  const text = `${number(average, { maximumFractionDigits: 1 })} of 5 stars`;
  return html`<span class="stars"><span role="img" aria-label=${text} data-stars=${shown * 2}>★★★★★</span>${
    count !== undefined && html`<span class="count">${number(average, { minimumFractionDigits: 1, maximumFractionDigits: 1 })}
      <span class="quiet"> (${number(count)})</span></span>`}</span>`;
}

/** The drawings of pictures.svg, and the words of a name or a category that each stands for. */
const DRAWINGS = [
  ['teapot', /tea\s?pot|gaiwan|kyusu/], ['teacup', /cup|mug|chawan/], ['tea', /tea|sencha|oolong|matcha|lapsang|gyokuro|chai/],
  ['jam', /jam|kaya|marmalade|honey|chutney/], ['spice', /spice|pepper|saffron|sambal|salt|curry|cinnamon/],
  ['bread', /bread|loaf|sourdough|biscuit|cookie/], ['coffee', /coffee|espresso|kopi/], ['oil', /oil|vinegar|sauce|bottle/],
  ['knife', /knife|cleaver|blade/], ['pan', /pan|wok|skillet/], ['board', /board|tray/], ['bowl', /bowl|dish|plate|mortar/],
  ['apron', /apron|shirt|kebaya/], ['scarf', /scarf|shawl|sarong|batik|cloth|throw|blanket/], ['rug', /rug|carpet|kilim|mat\b/],
  ['cushion', /cushion|pillow/], ['basket', /basket|rattan|wicker/], ['lamp', /lamp|lantern|light/], ['candle', /candle|incense/],
  ['chair', /chair|stool|bench/], ['vase', /vase|pot\b|planter/], ['book', /book|atlas|novel|journal|notebook/], ['pen', /pen\b|ink|brush/],
  ['print', /print|poster|map|painting/], ['drum', /drum|tabla|gamelan|bell/], ['guitar', /guitar|oud|ukulele|lute|sitar/],
  ['record', /record|vinyl|album/], ['ring', /ring|earring|bracelet|necklace|silver/], ['soap', /soap|balm|shampoo/], ['plant', /plant|fern|seed|orchid|cactus/],
];
const OF_CATEGORY = { tea: 'tea', food: 'jam', kitchen: 'bowl', textiles: 'scarf', home: 'lamp', paper: 'book', music: 'record', garden: 'plant' };

function drawingOf({ name = '', category = '' }) {
  const text = name.toLowerCase();
  return DRAWINGS.find(([, words]) => words.test(text))?.[0] ?? OF_CATEGORY[category.toLowerCase()] ?? 'parcel';
}

/** The seller's picture; without one, or if it cannot be had, a drawing. */
export function Picture({ product }) {
  const [lost, setLost] = useState(null);
  const own = product.imageUrl && product.imageUrl !== lost && /^https:\/\//.test(product.imageUrl);
  const drawing = drawingOf(product);
  return own
    ? html`<img class="picture" src=${product.imageUrl} alt="" loading="lazy" decoding="async" referrerpolicy="no-referrer"
        onError=${() => setLost(product.imageUrl)} />`
    : html`<span class="picture drawn" data-drawing=${drawing}><img src=${`/page/pictures.svg#${drawing}`} alt="" decoding="async" /></span>`;
}

/** What the visitor pays for a product. */
export const Offer = ({ product }) => html`<span class="price" ref=${useShown(product)}>${money(product.price)}</span>`;

/** A link to a page of another host; text if it is none. */
export function Outside({ url, children }) {
  return /^https?:\/\//.test(url) ? html`<a href=${url} rel="noopener noreferrer nofollow" target="_blank">${children}</a>` : children;
}

/**
 * A list that is loaded page by page. `load` takes a cursor and returns `{items, nextCursor}`. A list with a `name` is there again, with
 * all its pages, when the reader comes back to it.
 */
export function usePages(load, inputs, name) {
  const key = name && JSON.stringify([name, ...inputs]);
  const [left] = useState(() => (key && kept(key)) ?? []);
  const first = useLoad((signal) => load(undefined, signal), inputs, left[0]);
  const [more, setMore] = useState({ pages: left.slice(1) });
  useEffect(() => { if (!left.length || first.value !== left[0]) setMore({ pages: [] }); }, [first.value]);
  const pages = first.value ? [first.value, ...more.pages] : [];
  useEffect(() => { if (key && first.value) keep(key, pages); }, [first.value, more.pages]);
  const next = pages.at(-1)?.nextCursor;
  async function loadMore() {
    setMore((before) => ({ ...before, busy: true }));
    try {
      const page = await load(next);
      setMore((before) => ({ pages: [...before.pages, page] }));
    } catch (error) {
      setMore((before) => ({ pages: before.pages, error }));
    }
  }
  return { first, items: pages.flatMap((page) => page.items), next, loadMore, busy: more.busy, error: more.error };
}

export const More = ({ of, label = 'Show more' }) => html`
  ${of.error && html`<${Failed} error=${of.error} />`}
  ${of.next && html`<p class="more"><button type="button" onClick=${of.loadMore} disabled=${of.busy}>${of.busy ? 'Loading…' : label}</button></p>`}`;

/** A question that is answered in place, before something that cannot be undone. */
export function Confirm({ label, question, yes, onYes, kind = 'danger', children }) {
  const [open, setOpen] = useState(false);
  const dialog = useRef();
  useEffect(() => {
    if (open && !dialog.current.open) dialog.current.showModal();
    if (!open && dialog.current.open) dialog.current.close();
  }, [open]);
  const head = useId();
  return html`<button type="button" class=${kind} onClick=${() => setOpen(true)}>${label}</button>
    <dialog ref=${dialog} aria-labelledby=${head} onClose=${() => setOpen(false)}>
      <h2 id=${head}>${question}</h2>
      ${open && html`<${Form} label=${yes} onSubmit=${async (values) => { await onYes(values); setOpen(false); }}
        secondary=${html`<button type="button" onClick=${() => setOpen(false)}>Not now</button>`}>${children}<//>`}
    </dialog>`;
}
