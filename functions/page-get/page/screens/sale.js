// The flash sale of now: its sessions with the time that is left, and what they sell.
import { Empty, Loaded, More, Outside, Title, useLoad, usePages } from '/page/parts.js';
import { read } from '/page/request.js';
import { html, money, to, useEffect, useState, when } from '/page/view.js';

/** How often the page asks for what comes after a sale that has ended. */
const AGAIN_MS = 5000;

/** The time until a moment, as `1 d 02:03:04`; drawn anew each second. */
function Countdown({ until, onEnd }) {
  const [now, setNow] = useState(Date.now());
  const left = Math.max(0, Math.ceil((Date.parse(until) - now) / 1000));
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    if (left > 0) return undefined;
    onEnd();
    const timer = setInterval(onEnd, AGAIN_MS);
    return () => clearInterval(timer);
  }, [left === 0]);
  const two = (value) => String(value).padStart(2, '0');
  const days = Math.floor(left / 86400);
  const clock = [Math.floor(left / 3600) % 24, Math.floor(left / 60) % 60, left % 60].map(two).join(':');
  return html`<span class="countdown" role="timer"><span class="hidden">time left: </span>${days > 0 && `${days} d `}${clock}</span>`;
}

function Items({ session }) {
  const pages = usePages((cursor, signal) => read(`/flash-sales/current?${new URLSearchParams({ session, limit: 24, ...(cursor && { cursor }) })}`, { signal }), [session]);
  return html`<${Loaded} of=${pages.first} what="what is sold">${() => (pages.items.length ? html`<ul class="rows">${pages.items.map((item) => html`<li key=${item.itemId}><div>
      <strong><${Outside} url=${item.url}>${item.name}<//></strong>
      <span class="price">${item.from && 'from '}${item.price ? money(item.price) : 'no price'}</span>
      <span class=${`tag ${item.availability === 'inStock' ? 'good' : 'sold'}`}>${item.availability === 'inStock' ? 'in stock' : 'not in stock'}</span>
      <a href=${to('watches', { url: item.url })}>Watch its price<span class="hidden"> (${item.name})</span></a></div></li>`)}</ul><${More} of=${pages} />`
    : html`<${Empty}>Nothing of this sale is known yet. Come back in some minutes.<//>`)}<//>`;
}

export function Sale() {
  const loaded = useLoad((signal) => read('/flash-sales/current', { signal }), []);
  return html`<${Title}>Flash sale<//>
    <${Loaded} of=${loaded} what="the flash sale">${({ sessions }) => (sessions.length === 0
      ? html`<${Empty}>No flash sale is on. Meanwhile, <a href="#/">look at what is new</a> or <a href=${to('watches')}>watch a price</a>.<//>`
      : sessions.map((session) => html`<section class="sale" key=${session.id} aria-label=${session.name}>
          <div class="title"><h2>${session.name}</h2><${Countdown} until=${session.endsAt} onEnd=${loaded.reload} /></div>
          <p class="quiet">until ${when(session.endsAt)}</p><${Items} session=${session.id} /></section>`))}<//>`;
}
