// A seller's price experiments: the list, and one of them from its draft to its end.
import { Confirm, Empty, Failed, Field, Form, ForUser, Loaded, More, Title, useLoad, usePages } from '/page/parts.js';
import { ChangeDraft, NewDraft, localTime, placed, shareOf, tenThousandths } from '/page/draft.js';
import { Results } from '/page/results.js';
import { call, get } from '/page/session.js';
import { html, money, plural, to, useState, when } from '/page/view.js';
import { readUnpriced } from '/page/visitor.js';

const STATUS = { draft: ['draft', ''], running: ['running', 'good'], stopped: ['stopped', 'sold'] };
const METRICS = { conversion: 'conversion', revenuePerVisitor: 'revenue per visitor', averageOrder: 'average order' };
const STOPPED_BY = { seller: 'You stopped it', schedule: 'It stopped as planned', guardrail: 'A guardrail stopped it' };

const Status = ({ of }) => html`<span class=${`tag ${STATUS[of]?.[1] ?? ''}`}>${STATUS[of]?.[0] ?? of}</span>`;

const productIds = (experiment) => [...new Set(experiment.variants.flatMap(({ prices = [] }) => prices.map(({ productId }) => productId)))];

function List() {
  const pages = usePages((cursor, signal) => get(`/experiments?${new URLSearchParams({ limit: 20, ...(cursor && { cursor }) })}`, { signal }), [], 'experiments');
  return html`<p class="crumbs"><a href=${to('sell')}>Sell</a></p>
    <${Title} beside=${html`<a class="button primary" href=${to('experiments', 'new')}>Draft an experiment</a>`}>Price experiments<//>
    <p class="lead">Show visitors different prices, and see which sells best.</p>
    <${Loaded} of=${pages.first} what="your experiments">${() => (pages.items.length
      ? html`<ul class="rows">${pages.items.map((one) => html`<li key=${one.experimentId}><a href=${to('experiments', one.experimentId)}>
          <strong>${one.name}</strong>
          <span class="quiet">${plural(one.variants.length, 'variant')}, ${plural(productIds(one).length, 'product')}</span>
          <span class="quiet">${one.startedAt ? `started ${when(one.startedAt, { dateStyle: 'medium' })}` : `drafted ${when(one.createdAt, { dateStyle: 'medium' })}`}</span>
          <${Status} of=${one.status} /></a></li>`)}</ul><${More} of=${pages} />`
      : html`<${Empty}>You have no experiments yet. An experiment shows part of the visitors another price of your products, and counts what each part buys.
          ${' '}<a href=${to('experiments', 'new')}>Draft the first one</a>.<//>`)}<//>`;
}

/** The seller's products at their own prices, by id. Those that were withdrawn are not among them. */
async function ownProducts(sellerId, signal) {
  const products = [];
  let cursor;
  do {
    const page = await readUnpriced(`/products?${new URLSearchParams({ seller: sellerId, limit: 100, ...(cursor && { cursor }) })}`, { signal });
    products.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor);
  return new Map(products.map((product) => [product.productId, product]));
}

/** The price of each product in each variant. */
function Prices({ experiment, products }) {
  const own = new Map((experiment.controlPrices ?? []).map(({ productId, price }) => [productId, price]));
  const priceIn = ({ prices = [] }, productId) => prices.find((one) => one.productId === productId)?.price;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Prices of the variants"><table>
    <thead><tr><th scope="col">Product</th>${experiment.variants.map(({ key, weight }) => html`<th scope="col" class="number" key=${key}>${key}<br /><small>${shareOf(weight)}</small></th>`)}</tr></thead>
    <tbody>${productIds(experiment).map((id) => html`<tr key=${id}>
      <th scope="row">${products.has(id) ? html`<a href=${to('products', id)}>${products.get(id).name}</a>` : 'a withdrawn product'}</th>
      ${experiment.variants.map((variant) => {
        const tested = priceIn(variant, id);
        const price = tested ?? own.get(id) ?? products.get(id)?.price;
        return html`<td key=${variant.key} class=${`number${tested ? '' : ' quiet'}`}>${price ? money(price) : '—'}</td>`;
      })}</tr>`)}</tbody></table></div>`;
}

function Facts({ experiment }) {
  const { metrics, namespace, rampUp } = experiment;
  const names = (list) => list.map((metric) => METRICS[metric] ?? metric).join(', ');
  const facts = [
    ['Decides', names([metrics.primary])],
    ['Also shown', names(metrics.secondary ?? [])],
    ['Guardrails', names(metrics.guardrails ?? [])],
    ['Visitors in it', shareOf(experiment.coverage)],
    ['Rises to', rampUp?.map((step) => `${shareOf(step.coverage)} after ${plural(step.afterHours, 'hour')}`).join(', ')],
    ['Namespace', namespace && `${namespace.name}, ${shareOf(namespace.from)} to ${shareOf(namespace.to)}`],
    [experiment.startedAt ? 'Started' : 'Starts', (experiment.startedAt ?? experiment.startsAt) && when(experiment.startedAt ?? experiment.startsAt)],
    [experiment.stoppedAt ? 'Stopped' : 'Stops', (experiment.stoppedAt ?? experiment.stopsAt) && when(experiment.stoppedAt ?? experiment.stopsAt)],
  ];
  return html`<dl class="figures">${facts.filter(([, value]) => value).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Changes of an experiment that runs, and its end. */
function Running({ experiment, patch }) {
  const [saved, setSaved] = useState(false);
  const full = experiment.coverage === 10000;
  const change = async ({ coverage, stopsAt }) => {
    setSaved(false);
    await patch({ ...(coverage && { coverage: tenThousandths(coverage) }), stopsAt: stopsAt ? new Date(stopsAt).toISOString() : null });
    setSaved(true);
  };
  const stop = ({ winner }) => patch({ status: 'stopped', ...(winner && { winner }) });
  return html`<section class="panel" aria-labelledby="running"><h2 id="running">While it runs</h2>
    <p>The products keep their own prices until it stops. More visitors can be taken in; none changes the variant.</p>
    <${Form} class="narrow" label="Save" onSubmit=${change} key=${experiment.version}>${(error) => html`<div class="pair">
      ${!full && html`<${Field} label="Per cent of the visitors" name="coverage" inputmode="decimal" required at="/coverage" error=${error} defaultValue=${String(experiment.coverage / 100)}
        hint="It can only rise." />`}
      <${Field} label="Stops by itself at" name="stopsAt" type="datetime-local" at="/stopsAt" error=${error} defaultValue=${localTime(experiment.stopsAt)} /></div>`}<//>
    <p role="status">${saved && 'Saved.'}</p>
    <${Confirm} label="Stop the experiment" question="Stop the experiment for good?" yes="Stop it" onYes=${stop}>
      <${Field} label="Prices from then on" as="select" name="winner" hint="The products get them in the same step.">
        <option value="">as they were before</option>
        ${experiment.variants.slice(1).map(({ key }) => html`<option value=${key} key=${key}>those of ${key}</option>`)}<//><//></section>`;
}

function Draft({ experiment, products, patch, onEdit }) {
  const start = async () => {
    try {
      await patch({ status: 'running' });
    } catch (error) {
      throw placed(error, experiment.variants, products);
    }
  };
  return html`
    ${experiment.startFaults?.length > 0 && html`<div class="note failed" role="alert"><p><strong>It could not start as planned:</strong></p>
      <ul>${experiment.startFaults.map((fault) => html`<li key=${fault.pointer}>${fault.detail}</li>`)}</ul></div>`}
    <section class="panel" aria-labelledby="start"><h2 id="start">Start it</h2>
      <p>From then on visitors see the prices of their variant and pay them, and the products’ own prices do not change until it stops.</p>
      <div class="actions"><${Confirm} label="Start the experiment" question="Start it now?" yes="Start it" onYes=${start} kind="primary" />
        <button type="button" onClick=${onEdit}>Change the draft</button></div></section>`;
}

function Outcome({ experiment }) {
  const { winner, variants, stoppedBy } = experiment;
  const prices = winner && winner !== variants[0].key ? html`The products have the prices of <strong>${winner}</strong> now.` : 'The products kept their own prices.';
  return html`<p class="note">${STOPPED_BY[stoppedBy] ?? 'It stopped'}. ${prices}</p>`;
}

function Experiment({ loaded, experiment, products }) {
  const [editing, setEditing] = useState(false);
  const id = experiment.experimentId;
  const [stale, setStale] = useState(false);
  const patch = async (body) => {
    setStale(false);
    try {
      loaded.replace((await call('PATCH', `/experiments/${id}`, { body, headers: { 'if-match': `"${experiment.version}"` } })).body);
    } catch (error) {
      if (error.status === 412) {
        loaded.replace(await get(`/experiments/${id}`));
        setStale(true);
      }
      throw error;
    }
  };
  const overtaken = stale && html`<p class="note failed" role="alert"><strong>The experiment was changed meanwhile.</strong> Nothing of yours was saved. Send it again to put it in place of the other change.</p>`;
  if (editing) {
    return html`<${Title}>Change the draft<//>${overtaken}<${ChangeDraft} experiment=${experiment} products=${products} onKeep=${() => setEditing(false)}
      onSave=${async (body) => { await patch(body); setEditing(false); }} />`;
  }
  return html`<${Title} beside=${html`<${Status} of=${experiment.status} />`}>${experiment.name}<//>
    ${overtaken}
    ${experiment.hypothesis && html`<p class="lead text">${experiment.hypothesis}</p>`}
    ${experiment.status === 'stopped' && html`<${Outcome} experiment=${experiment} />`}
    ${experiment.status !== 'draft' && html`<${Results} experiment=${experiment} />`}
    <section aria-labelledby="prices"><h2 id="prices">What is tested</h2><${Facts} experiment=${experiment} /><${Prices} experiment=${experiment} products=${products} /></section>
    ${experiment.status === 'draft' && html`<${Draft} experiment=${experiment} products=${products} patch=${patch} onEdit=${() => setEditing(true)} />`}
    ${experiment.status === 'running' && html`<${Running} experiment=${experiment} patch=${patch} />`}`;
}

function One({ id, user }) {
  const loaded = useLoad((signal) => get(`/experiments/${encodeURIComponent(id)}`, { signal }), [id]);
  const products = useLoad((signal) => ownProducts(user.userId, signal), [user.userId]);
  if (loaded.status === 'failed') return html`<${Title}>Experiment<//><${Failed} error=${loaded.error} retry=${loaded.reload} />`;
  return html`<p class="crumbs"><a href=${to('experiments')}>Price experiments</a></p>
    <${Loaded} of=${loaded} what="the experiment">${(experiment) => html`<${Loaded} of=${products} what="your products">${(own) =>
      html`<${Experiment} loaded=${loaded} experiment=${experiment} products=${own} />`}<//>`}<//>`;
}

function New({ user, query }) {
  const products = useLoad((signal) => ownProducts(user.userId, signal), [user.userId]);
  return html`<p class="crumbs"><a href=${to('experiments')}>Price experiments</a></p><${Title}>Draft an experiment<//>
    <${Loaded} of=${products} what="your products">${(own) => (own.size
      ? html`<${NewDraft} products=${own} chosen=${query.get('product')} />`
      : html`<${Empty}>An experiment needs a product of yours. <a href=${to('sell')}>Sell one</a>.<//>`)}<//>`;
}

export function Experiments({ path: [id], query }) {
  return html`<${ForUser} why="Your experiments are yours alone.">${(user) => {
    if (id === 'new') return html`<${New} user=${user} query=${query} />`;
    return id ? html`<${One} id=${id} user=${user} key=${id} />` : html`<${List} />`;
  }}<//>`;
}
