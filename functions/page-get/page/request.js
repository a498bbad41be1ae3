// One request to the API, and what its answers that are no success look like.

/** An answer that is no success: a problem document, or what the gateway says. */
export class Problem extends Error {
  constructor(status, body, headers) {
    super(body?.detail ?? body?.message ?? `The answer is ${status}.`);
    this.status = status;
    this.body = body ?? {};
    this.kind = String(body?.type ?? '').replace('urn:souk:problem:', '');
    this.retryAfter = Number(headers.get('retry-after')) || null;
    /** Pointers of the faults that are shown beside their fields. */
    this.placed = new Set();
  }
  /** The fault at a JSON pointer of the request's body. */
  fault(pointer) {
    return this.body.errors?.find((error) => error.pointer === pointer)?.detail;
  }
}

/**
 * Whether an error leaves open what became of the request. It may have been carried out, so it has to be sent again with the same
 * idempotency key. A 401 tells only of the last try.
 */
export const isUndecided = (error) => !(error instanceof Problem) || error.status >= 500
  || ([401, 409, 429].includes(error.status) && error.kind !== 'price-changed');

/** What the page refuses by itself, in the form of an answer of the API. The `label` names the place to readers. */
export const fault = (pointer, detail, label) =>
  new Problem(400, { detail: 'Something is not right yet.', errors: [{ pointer, detail, label }] }, new Headers());

/** No answer: the network, or the service, cannot be reached. */
export class Unreachable extends Error {}

/** `keepalive` lets a request outlive the page. */
export async function request(method, path, { body, headers = {}, token, signal, keepalive } = {}) {
  const sent = { ...headers };
  if (body !== undefined) sent['content-type'] ??= 'application/json';
  if (token) sent.authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal, keepalive });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable(navigator.onLine ? 'Souk does not answer.' : 'You are offline.');
  }
  const type = response.headers.get('content-type') ?? '';
  let content = null;
  try {
    if (/json/.test(type)) content = await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable('The answer of Souk was cut off.');
  }
  if (!response.ok) throw new Problem(response.status, content, response.headers);
  // An id such as `..` makes the path that of the page itself.
  if (type && content === null) throw new Problem(404, null, response.headers);
  return { status: response.status, headers: response.headers, body: content };
}

/** Reads what is public. */
export const read = async (path, options) => (await request('GET', path, options)).body;
