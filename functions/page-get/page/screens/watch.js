// Price watch: the pages that the user watches, and what one of them has cost over time.
import { Confirm, Empty, Failed, Field, Form, ForUser, Loaded, More, Outside, Title, useLoad, usePages } from '/page/parts.js';
import { Chart } from '/page/chart.js';
import { fault } from '/page/request.js';
import { call, get } from '/page/session.js';
import { go, html, major, minorAmount, minorDigits, money, number, plural, to, useState, when } from '/page/view.js';

const AVAILABILITY = {
  inStock: ['in stock', 'good'], outOfStock: ['sold out', 'sold'], preOrder: ['pre-order', ''], backOrder: ['back-order', ''],
  discontinued: ['discontinued', 'sold'], unknown: ['not known', ''],
};

/** Why a page could not be read, in words. */
const REASONS = {
  scheme: 'the address does not begin with http:// or https://', port: 'the address names a port', credentials: 'the address holds a user name or a password',
  host: 'the address does not name a public host', address: 'the host is not a public one', 'too-many-redirects': 'the page leads on to others again and again',
  robots: 'the shop does not want its page to be read', 'not-html': 'the address is not that of a web page', 'too-large': 'the page is too large',
  'too-complex': 'the page is too complicated', gone: 'the page is gone', forbidden: 'the shop refuses to show the page',
  'no-product': 'the page describes no product', 'several-products': 'the page describes several products', 'no-price': 'the page names no price',
  'bad-price': 'the price on the page cannot be read', 'no-currency': 'the page does not say in which currency its price is',
  'unknown-currency': 'the currency of the price is not known', dns: 'the shop’s name is not known', connection: 'the shop cannot be reached',
  timeout: 'the shop took too long', 'rate-limited': 'the shop asked to come back later', 'server-error': 'the shop has a problem',
};
export const reasonOf = (reason) => REASONS[reason] ?? `the page cannot be read (${reason})`;

export const Availability = ({ of }) => html`<span class=${`tag ${AVAILABILITY[of]?.[1] ?? ''}`}>${AVAILABILITY[of]?.[0] ?? of}</span>`;

/** The change between the two newest prices of the same currency. */
function Change({ periods }) {
  const priced = periods.filter((period) => period.price);
  const [now, before] = priced;
  if (!before || now.price.currency !== before.price.currency || before.price.amount === 0) return html`<span class="quiet">no change yet</span>`;
  const part = (now.price.amount - before.price.amount) / before.price.amount;
  if (part === 0) return html`<span class="quiet">no change</span>`;
  return html`<span class=${part < 0 ? 'fall' : 'rise'}>${part < 0 ? '▼' : '▲'} ${number(Math.abs(part), { style: 'percent', maximumFractionDigits: 1 })}
    <span class="hidden">${part < 0 ? 'cheaper' : 'dearer'} than before</span></span>`;
}

function Row({ item }) {
  const prices = useLoad((signal) => get(`/items/${item.itemId}/prices?limit=5`, { signal }), [item.itemId]);
  const lowest = prices.value?.summary?.lowest;
  return html`<li><a href=${to('watches', item.itemId)}>
    <span><strong>${item.name ?? 'not read yet'}</strong><br /><small class="quiet">${hostOf(item.url)}</small></span>
    <span class="number">${item.price ? money(item.price) : 'no price'}</span>
    <span>${prices.value && html`<${Change} periods=${prices.value.items} />`}</span>
    <span class="quiet">${lowest ? `lowest ${money(lowest.price)}` : ''}</span>
    <${Availability} of=${item.availability} />
  </a></li>`;
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

function List({ query }) {
  const pages = usePages((cursor, signal) => get(`/watchlist?${new URLSearchParams({ limit: 20, ...(cursor && { cursor }) })}`, { signal }), [], 'watches');
  const watch = async ({ url }) => {
    const { body } = await call('POST', '/watchlist', { body: { url: url.trim() } });
    go(to('watches', body.itemId));
  };
  return html`<${Title} beside=${html`<a class="button" href=${to('notifications')}>Notifications</a>`}>Price watch<//>
    <${Form} class="panel" label="Watch this page" busyLabel="Reading the page…" onSubmit=${watch}>${(error) => html`
      <${Field} label="Address of a product’s page" name="url" type="url" required maxlength="2048" placeholder="https://…" at="/url" error=${error}
        defaultValue=${query.get('url') ?? ''} hint="Paste it from the shop. Souk looks at it again every now and then." />
      ${error?.body?.reason && html`<small class="fault">Because ${reasonOf(error.body.reason)}.</small>`}`}<//>
    <${Loaded} of=${pages.first} what="what you watch">${() => (pages.items.length
      ? html`<ul class="rows watched">${pages.items.map((item) => html`<${Row} item=${item} key=${item.itemId} />`)}</ul><${More} of=${pages} />`
      : html`<${Empty}>You watch nothing yet. Paste the address of a product above.<//>`)}<//>`;
}

/** Prices over time as a stepped line; the table under it has the same figures. */
function Prices({ periods, currency }) {
  const plot = (colour, axis, Plot) => {
    const steps = [...periods].reverse().filter((period) => !period.price || period.price.currency === currency);
    const times = [...steps.map((period) => Date.parse(period.from) / 1000), Date.now() / 1000];
    const values = steps.map((period) => (period.price ? major(period.price) : null));
    values.push(values.at(-1));
    return {
      data: [times, values],
      scales: { y: { range: (_, low, high) => [Math.max(0, low - (high - low || high) * 0.15), high + (high - low || high) * 0.15] } },
      axes: [
        { ...axis, values: (_, all) => all.map((time) => when(time * 1000, { month: 'short', day: 'numeric' })), space: 70 },
        { ...axis, size: 80, values: (_, all) => all.map((value) => money({ amount: value * 10 ** minorDigits(currency), currency })) },
      ],
      series: [{}, { stroke: colour('--accent'), fill: colour('--accent-soft'), width: 2, spanGaps: false, paths: Plot.paths.stepped({ align: 1 }), points: { show: steps.length < 40 } }],
    };
  };
  return html`<${Chart} plot=${plot} inputs=${[periods, currency]} label="The prices over time; the table below has the same figures" />`;
}

function Summary({ summary }) {
  const figures = [
    ['Lowest', summary.lowest], ['Highest', summary.highest], ['Average', summary.average], ['Lowest in 30 days', summary.lowest30Days], ['Lowest in 90 days', summary.lowest90Days],
  ];
  return html`<dl class="figures">${figures.map(([label, dated]) => html`<div key=${label}><dt>${label}</dt>
    <dd>${dated ? money(dated.price) : '—'}${dated?.at && html`<small class="quiet">${when(dated.at, { dateStyle: 'medium' })}</small>`}</dd></div>`)}</dl>`;
}

const KINDS = {
  any: () => 'any change of the price', backInStock: () => 'back in stock', target: (alert) => `${money(alert.price)} or less`,
  drop: (alert) => `a drop by ${alert.percent} %`, lowest: (alert) => `lowest in ${plural(alert.days ?? 30, 'day')}`,
};

function Alerts({ item, onChange }) {
  const [kind, setKind] = useState('any');
  const currency = item.price?.currency;
  const save = async (alerts) => onChange((await call('PATCH', `/watchlist/${item.itemId}`, { body: { alerts } })).body);
  const add = (values) => {
    const alert = { kind };
    if (kind === 'drop') alert.percent = Number(values.percent);
    if (kind === 'lowest') alert.days = Number(values.days);
    if (kind === 'target') {
      alert.price = { amount: minorAmount(values.amount, currency), currency };
      if (!(alert.price.amount > 0)) throw fault('/alerts', 'needs an amount above zero');
    }
    return save([...item.alerts, alert]);
  };
  const [error, setError] = useState(null);
  const drop = (alert) => save(item.alerts.filter((other) => other !== alert)).then(() => setError(null), setError);
  return html`<section class="panel" aria-labelledby="alerts"><h2 id="alerts">Tell me of</h2>
    ${item.alerts.length === 0 ? html`<p class="quiet">Nothing yet.</p>` : html`<ul class="chips">${item.alerts.map((alert, index) => html`<li key=${index}><span class="tag">${KINDS[alert.kind]?.(alert) ?? alert.kind}
      <button type="button" class="plain" aria-label=${`Do not tell me of ${KINDS[alert.kind]?.(alert)}`} onClick=${() => drop(alert)}>✕</button></span></li>`)}</ul>`}
    ${error && html`<${Failed} error=${error} />`}
    <${Form} label="Add" onSubmit=${add}>${(failed) => html`<div class="pair">
      <${Field} label="Alert" as="select" name="kind" value=${kind} onChange=${(event) => setKind(event.target.value)}>
        <option value="any">any change</option><option value="drop">a drop by a part</option>${currency && html`<option value="target">a price or less</option>`}
        <option value="lowest">the lowest price in some time</option><option value="backInStock">back in stock</option><//>
      ${kind === 'drop' && html`<${Field} label="Per cent" name="percent" type="number" min="1" max="99" defaultValue="10" required />`}
      ${kind === 'lowest' && html`<${Field} label="Days" name="days" type="number" min="1" max="365" defaultValue="30" required />`}
      ${kind === 'target' && html`<${Field} label=${`Price in ${currency}`} name="amount" inputmode="decimal" required at="/alerts" error=${failed} />`}</div>`}<//></section>`;
}

/** The item of the watch list: the API has no way to read one alone. */
async function findWatch(id, signal) {
  let cursor;
  do {
    const page = await get(`/watchlist?${new URLSearchParams({ limit: 100, ...(cursor && { cursor }) })}`, { signal });
    const item = page.items.find((one) => one.itemId === id);
    if (item) return item;
    cursor = page.nextCursor;
  } while (cursor);
  return null;
}

function Item({ id }) {
  const watch = useLoad((signal) => findWatch(id, signal), [id]);
  const prices = useLoad((signal) => get(`/items/${encodeURIComponent(id)}/prices?limit=100`, { signal }), [id]);
  const item = watch.value;
  const periods = prices.value?.items ?? [];
  const currency = item?.price?.currency ?? periods.find((period) => period.price)?.price.currency;
  return html`<p class="crumbs"><a href=${to('watches')}>Price watch</a></p>
    <${Loaded} of=${watch} what="the item">${() => (item ? html`
      <${Title} beside=${html`<${Availability} of=${item.availability} />`}>${item.name ?? 'Not read yet'}<//>
      <p><span class="large"><${Now} price=${item.price} from=${item.from} /></span> <${Outside} url=${item.url}>at ${hostOf(item.url)}<//>
        ${' '}<span class="quiet">looked at ${when(item.check.at)}</span></p>
      ${item.check.status === 'failed' && html`<p class="note failed">At the last look ${reasonOf(item.check.reason)}. Souk tries again.</p>`}`
      : html`<${Title}>Prices<//><${Empty}>You do not watch this any more.<//>`)}<//>
    <${Loaded} of=${prices} what="its prices">${(list) => html`
      ${list.summary && html`<${Summary} summary=${list.summary} />`}
      ${currency && list.items.length > 0 && html`<${Prices} periods=${list.items} currency=${currency} />`}
      ${list.items.length === 0 ? html`<${Empty}>There are no prices yet. Come back after the next look.<//>` : html`
        <div class="scroll" tabindex="0" role="region" aria-label="Prices"><table><thead><tr><th scope="col">From</th><th scope="col">Until</th><th scope="col" class="number">Price</th><th scope="col">Availability</th></tr></thead>
        <tbody>${list.items.map((period) => html`<tr key=${period.from}><td>${when(period.from)}</td><td>${period.until ? when(period.until) : 'now'}</td>
          <td class="number">${period.price ? money(period.price) : '—'}</td><td><${Availability} of=${period.availability} /></td></tr>`)}</tbody></table></div>`}`}<//>
    ${item && html`<${Alerts} item=${item} onChange=${watch.replace} />
      <${Confirm} label="Stop watching" question="Watch it no more?" yes="Stop" onYes=${async () => { await call('DELETE', `/watchlist/${id}`); go(to('watches')); }} />`}`;
}

const Now = ({ price, from }) => html`<span class="price">${from && 'from '}${price ? money(price) : 'no price'}</span>`;

export function Watches({ path: [id], query }) {
  return html`<${ForUser} why="What you watch is yours alone.">${() => (id ? html`<${Item} id=${id} />` : html`<${List} query=${query} />`)}<//>`;
}
