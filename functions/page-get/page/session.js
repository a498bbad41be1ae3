// The session of the user, and requests in the user's name.
//
// The access token is in memory alone. The refresh token is in a cookie that no script can read. Only one tab refreshes at a
// time, under a lock, and tells the others its new access token; a second refresh with the same cookie would look like theft.
import { Problem, request } from '/page/request.js';
import { Store, forgetLists, remember } from '/page/view.js';
import { become, shopAs } from '/page/visitor.js';

const CHANNEL = 'souk.session';
/** How long a tab waits for the answers of the others before it refreshes by itself: the browser may have stopped one of them. */
const ANSWER_MS = 2000;
/** Each open page holds this lock with the others, so that a page that asks knows how many answers there will be. */
const PAGES = 'souk.pages';
/** A token is taken for expired this long before it is. */
const MARGIN_MS = 5000;
/** The pauses between requests for the session of a page that was opened, each twice as long as the one before. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** Who is logged in: `undefined` until it is known, `null` for nobody, otherwise `{userId, visitorId, accessToken, expiresAt}`. */
export const session = new Store(undefined);

/** Why it is not known yet who is logged in: what the last request for it failed with. */
export const trouble = new Store(null);

/** Until it is known who is logged in, or that it cannot be known now. */
const settled = new Promise((resolve) => {
  for (const store of [session, trouble]) {
    const stop = store.subscribe(() => {
      stop();
      resolve();
    });
  }
});

/** Whether there was a session when the page was last open. It holds no secret and only saves a useless request. */
const known = remember(localStorage, 'souk.known');
const channel = new BroadcastChannel(CHANNEL);

function adopt(tokens) {
  known.write(tokens ? true : null);
  if (session.value && tokens?.userId !== session.value.userId) forgetLists();
  shopAs(tokens ? tokens.visitorId : undefined);
  session.set(tokens);
  trouble.set(null);
}

function announce(tokens) {
  adopt(tokens);
  channel.postMessage({ tokens });
}

function fromAnswer({ accessToken, expiresIn }) {
  const claims = JSON.parse(atob(accessToken.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
  return { userId: claims.sub, visitorId: claims.visitorId ?? null, accessToken, expiresAt: Date.now() + expiresIn * 1000 };
}

const isFresh = (tokens) => Boolean(tokens) && tokens.expiresAt - MARGIN_MS > Date.now();

channel.onmessage = ({ data }) => {
  if (data.ask) {
    const serves = isFresh(session.value) && session.value.accessToken !== data.refused;
    channel.postMessage(serves ? { tokens: session.value } : { lacks: true });
  } else if ('tokens' in data) {
    adopt(data.tokens);
  }
};

const counted = new Promise((resolve) => {
  navigator.locks.request(PAGES, { mode: 'shared' }, () => {
    resolve();
    return new Promise(() => {});  // held until the page is closed
  });
});

/** Asks the other tabs for a token: `null` if none has one that serves. */
async function ask(refused) {
  await counted;
  const { held } = await navigator.locks.query();
  let awaited = held.filter(({ name }) => name === PAGES).length - 1;
  if (awaited === 0) return null;
  return new Promise((resolve) => {
    const finish = (tokens) => {
      channel.removeEventListener('message', hear);
      clearTimeout(timer);
      resolve(tokens);
    };
    const hear = ({ data }) => {
      if (data.tokens) finish(data.tokens);
      if (data.lacks) awaited -= 1;
      if (awaited === 0) finish(null);
    };
    const timer = setTimeout(finish, ANSWER_MS, null);
    channel.addEventListener('message', hear);
    channel.postMessage({ ask: true, refused });
  });
}

let refreshing = null;

/** A new access token, or `null` if the session has ended. `refused` is the token that no longer serves. */
export function refresh(refused) {
  refreshing ??= navigator.locks.request('souk.refresh', async () => {
    const told = await ask(refused);
    if (told) return told;
    try {
      const { body } = await request('POST', '/sessions/refresh');
      const tokens = fromAnswer(body);
      announce(tokens);
      return tokens;
    } catch (error) {
      if (error.status !== 401) throw error;
      announce(null);
      return null;
    }
  }).finally(() => { refreshing = null; });
  return refreshing;
}

/** Finds out who is logged in when the page is opened; if that fails, again after a pause, and when there is a connection. */
export async function begin(pauseMs = FIRST_PAUSE_MS) {
  if (!known.read()) {
    session.set(null);
    return;
  }
  try {
    await refresh();
  } catch (error) {
    // Another tab may have told it meanwhile.
    if (session.value !== undefined) return;
    trouble.set(error);
    const again = () => {
      clearTimeout(timer);
      removeEventListener('online', again);
      if (session.value === undefined) begin(Math.min(pauseMs * 2, LONGEST_PAUSE_MS));
    };
    const timer = setTimeout(again, Math.max(pauseMs, (error.retryAfter ?? 0) * 1000));
    addEventListener('online', again);
  }
}

/** Whether the gateway refuses the access token: 401, or its own 403, which is no problem document. */
const isRefusedToken = (error) =>
  error instanceof Problem && (error.status === 401 || (error.status === 403 && !error.body.type));

/** A request in the name of the user, if there is one. A token that has expired is refreshed, and the request sent again. */
export async function call(method, path, options = {}) {
  if (session.value === undefined) await settled;
  let tokens = session.value;
  if (tokens && !isFresh(tokens)) tokens = await refresh(tokens.accessToken);
  if (method !== 'GET') forgetLists();
  try {
    return await request(method, path, { ...options, token: tokens?.accessToken });
  } catch (error) {
    if (!tokens || !isRefusedToken(error)) throw error;
    const renewed = await refresh(tokens.accessToken);
    if (!renewed) throw error;
    return request(method, path, { ...options, token: renewed.accessToken });
  }
}

/** Reads what is the user's own. */
export const get = async (path, options) => (await call('GET', path, options)).body;

/** An account without a visitor is bound to the one of this browser, so there has to be one before. */
export async function logIn(email, password) {
  await become();
  const { body } = await request('POST', '/sessions', { body: { email, password, refreshTokenIn: 'cookie' } });
  announce(fromAnswer(body));
}

export async function logOut() {
  try {
    await call('DELETE', '/sessions/current');
  } catch (error) {
    if (!isRefusedToken(error)) throw error;
  }
  announce(null);
}

/** Forgets a session that the API has ended. */
export const ended = () => announce(null);
