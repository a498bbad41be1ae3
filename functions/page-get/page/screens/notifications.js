// What the user was told about watched items, and how the user wants to be told.
import { Confirm, Empty, Field, Form, ForUser, Loaded, More, Outside, Title, useLoad, usePages } from '/page/parts.js';
import { call, get } from '/page/session.js';
import { html, money, to, useState, when } from '/page/view.js';

const KINDS = {
  target: 'reached your price', drop: 'became cheaper', any: 'changed its price', backInStock: 'is back in stock', lowest: 'is at its lowest',
  webhookDisabled: 'Your webhook takes nothing and was switched off',
};

function offset() {
  const minutes = -new Date().getTimezoneOffset();
  const two = (value) => String(Math.floor(Math.abs(value))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

function Settings() {
  const settings = useLoad((signal) => get('/notifications/settings', { signal }), []);
  const [saved, setSaved] = useState(false);
  const save = async ({ email, dailyAt, quiet, from, until }) => {
    const body = { email, dailyAt, utcOffset: offset(), ...(quiet && { quietHours: { from, until } }) };
    settings.replace((await call('PUT', '/notifications/settings', { body })).body);
    setSaved(true);
  };
  return html`<section class="panel" aria-labelledby="settings"><h2 id="settings">Mails</h2><${Loaded} of=${settings} what="your settings">${(value) => html`
    <${Form} label="Save" onSubmit=${save}>${(error) => html`
      <${Field} label="Send them" as="select" name="email" at="/email" error=${error}>${[['immediately', 'at once'], ['daily', 'once a day'], ['never', 'never']].map(([name, label]) =>
        html`<option value=${name} key=${name} selected=${name === value.email}>${label}</option>`)}<//>
      <${Field} label="The daily mail at" type="time" name="dailyAt" required defaultValue=${value.dailyAt} at="/dailyAt" error=${error} />
      <label class="check"><input type="checkbox" name="quiet" defaultChecked=${Boolean(value.quietHours)} /> none in these hours</label>
      <div class="pair"><${Field} label="From" type="time" name="from" required defaultValue=${value.quietHours?.from ?? '22:00'} at="/quietHours" error=${error} />
      <${Field} label="Until" type="time" name="until" required defaultValue=${value.quietHours?.until ?? '07:00'} /></div>`}<//>
    <p role="status">${saved && 'Saved.'}</p>`}<//></section>`;
}

function Webhook() {
  const [secret, setSecret] = useState(null);
  const hook = useLoad((signal) => get('/webhook', { signal }).catch((error) => (error.status === 404 ? null : Promise.reject(error))), []);
  const save = async ({ url }) => {
    const { body } = await call('PUT', '/webhook', { body: { url: url.trim() } });
    setSecret(body.secret);
    hook.replace(body);
  };
  return html`<section class="panel" aria-labelledby="webhook"><h2 id="webhook">Webhook</h2><${Loaded} of=${hook} what="your webhook">${(value) => html`
    ${value?.disabledAt && html`<p class="note failed">It took nothing for a day and was switched off. Set it again to switch it on.</p>`}
    ${secret && html`<p class="note">Its secret, which is not shown again: <code>${secret}</code></p>`}
    <${Form} label=${value ? 'Replace it' : 'Set it'} onSubmit=${save} secondary=${value && html`<${Confirm} label="Remove it" question="Post nothing any more?" yes="Remove it"
      onYes=${async () => { await call('DELETE', '/webhook'); setSecret(null); hook.replace(null); }} />`}>${(error) => html`
      <${Field} label="Post notifications to" type="url" name="url" required maxlength="2048" placeholder="https://…" at="/url" error=${error} defaultValue=${value?.url} />`}<//>`}<//></section>`;
}

function Told({ one }) {
  return html`<li><div>
    <span>${one.name ? html`<strong><${Outside} url=${one.url}>${one.name}<//></strong> ` : ''}${KINDS[one.kind] ?? one.kind}</span>
    <span class="number">${one.previousPrice && html`<s class="quiet">${money(one.previousPrice)}</s> `}${one.price && money(one.price)}</span>
    <span class="quiet">${when(one.at)}</span>
    ${one.itemId && html`<a href=${to('watches', one.itemId)}>its prices</a>`}</div></li>`;
}

export function Notifications() {
  return html`<${ForUser} why="Notifications are yours alone.">${() => html`<${Screen} />`}<//>`;
}

function Screen() {
  const pages = usePages((cursor, signal) => get(`/notifications?${new URLSearchParams({ limit: 20, ...(cursor && { cursor }) })}`, { signal }), [], 'notifications');
  return html`<p class="crumbs"><a href=${to('watches')}>Price watch</a></p><${Title}>Notifications<//>
    <${Loaded} of=${pages.first} what="notifications">${() => (pages.items.length ? html`<ul class="rows">${pages.items.map((one) => html`<${Told} one=${one} key=${one.id} />`)}</ul><${More} of=${pages} />`
      : html`<${Empty}>Nothing to tell yet. Add an alert to <a href=${to('watches')}>something that you watch</a>.<//>`)}<//>
    <div class="columns"><${Settings} /><${Webhook} /></div>`;
}
