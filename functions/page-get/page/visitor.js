// Who the visitor is, on whom the prices of experiments depend, and what is reported of prices that were shown.
//
// The visitor's token is in a cookie that no script reads; the id is kept for reports.
import { read, request } from '/page/request.js';
import { Store, remember, useEffect, useRef, useStore } from '/page/view.js';

/** The cookie lasts a year. */
const KEPT_MS = 364 * 24 * 60 * 60 * 1000;
const GATHER_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

const kept = remember(localStorage, 'souk.visitor');
/** What was reported from this tab. */
const reported = remember(sessionStorage, 'souk.reported');

function keptId() {
  const { visitorId, until } = kept.read() ?? {};
  return typeof visitorId === 'string' && until > Date.now() ? visitorId : undefined;
}

/** Whose prices are shown: the id of a visitor, `null` for the products' own prices, `undefined` until it is known. */
const visitor = new Store(keptId());

function set(visitorId) {
  if (visitorId) kept.write({ visitorId, until: Date.now() + KEPT_MS });
  if (visitor.value !== visitorId) visitor.set(visitorId);
}

/** An account pays the prices of its visitor, or the products' own if it has none (`null`). `undefined` after a log-out. */
export const shopAs = (visitorId) => set(visitorId === undefined ? keptId() ?? visitor.value : visitorId);

let becoming = null;

/** Makes this browser a visitor if it is none yet. Without one the prices are the products' own, so a failure is none of the page. */
export function become() {
  if (visitor.value !== undefined) return Promise.resolve();
  becoming ??= navigator.locks.request('souk.visitor', async () => {
    // Another tab may have been first.
    set(keptId() ?? (await request('POST', '/visitors')).body.visitorId);
  }).catch(() => set(null));
  return becoming;
}

/** The visitor, for the inputs of `useLoad`: nothing is loaded until it is known, and prices are loaded again for another one. */
export const useVisitor = () => useStore(visitor);

/** A token that does not verify counts as none. */
const NOBODY = { 'souk-visitor': 'none' };

/** Reads products at the prices of the visitor. */
export const readPriced = (path, options) =>
  read(path, visitor.value === null ? { ...options, headers: { ...options?.headers, ...NOBODY } } : options);

/** Reads a product at its own price. */
export const readUnpriced = (path, options) => read(path, { ...options, headers: { ...NOBODY, 'cache-control': 'no-cache' } });

let waiting = [];
let timer = null;

/** Reports that the visitor saw the price of an experiment: once, since the first report counts. */
function report({ productId, experiment: { experimentId, variant } }) {
  // The visitor may have logged in to an account without one since the price was read.
  if (!visitor.value) return;
  const messageId = `${experimentId} ${variant}`;
  const key = `${visitor.value} ${messageId}`;
  if (waiting.some((event) => event.key === key) || reported.read()?.includes(key)) return;
  waiting.push({ key, event: {
    type: 'track', event: 'Experiment Viewed', anonymousId: visitor.value, messageId, timestamp: new Date().toISOString(),
    properties: { experimentId, variationId: variant, productId },
  } });
  timer ??= setTimeout(send, GATHER_MS, GATHER_MS);
}

/** Sends what waits; after a failure again later, and nothing twice: a repeated event has the same `messageId`. */
async function send(pauseMs) {
  clearTimeout(timer);
  const batch = waiting;
  if (batch.length === 0) return;
  const body = { batch: batch.map(({ event }) => event), sentAt: new Date().toISOString() };
  try {
    await request('POST', '/events', { body, keepalive: true });
  } catch (error) {
    if (!error.status || error.status === 429 || error.status >= 500) {
      timer = setTimeout(send, pauseMs * 2, Math.min(pauseMs * 2, LONGEST_PAUSE_MS));
      return;
    }
  }
  waiting = waiting.filter((event) => !batch.includes(event));
  reported.write([...(reported.read() ?? []), ...batch.map(({ key }) => key)]);
  timer = waiting.length ? setTimeout(send, GATHER_MS, GATHER_MS) : null;
}

// The page may be closed next.
addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && send(GATHER_MS));

/** A reference for the element with the product's price: what is scrolled past unseen is not reported. */
export function useShown(product) {
  const element = useRef();
  const { experimentId, variant } = product.experiment ?? {};
  useEffect(() => {
    if (!experimentId || !element.current) return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      report(product);
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [product.productId, experimentId, variant]);
  return element;
}
