// The form of an experiment that does not run yet: products, variants with their shares and prices, metrics, times.
import { Field, Form, useOnce } from '/page/parts.js';
import { Problem, fault } from '/page/request.js';
import { go, html, major, minorAmount, minorDigits, money, number, to, useState } from '/page/view.js';

const METRICS = [['revenuePerVisitor', 'Revenue per visitor'], ['conversion', 'Conversion: the share of visitors who buy'], ['averageOrder', 'Average order']];
const MOST_VARIANTS = 10;
const WHOLE = 10000;

/** Ten-thousandths as they are typed, in per cent; NaN for what is no share. */
export function tenThousandths(text) {
  const share = String(text).trim().replace(',', '.');
  return /^\d{1,3}(\.\d{1,2})?$/.test(share) ? Math.round(Number(share) * 100) : NaN;
}

export const shareOf = (weight) => number(weight / WHOLE, { style: 'percent', maximumFractionDigits: 2 });

/** A price as it is typed. */
const typed = (price) => major(price).toFixed(minorDigits(price.currency));

/** A time for a field of the reader's zone. */
export function localTime(time) {
  if (!time) return '';
  const date = new Date(time);
  return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Names the faults of variants and prices as the reader knows them, and puts those of prices at their products. */
export function placed(error, variants, products) {
  if (!(error instanceof Problem)) return error;
  for (const one of error.body.errors ?? []) {
    const [, index, position] = /^\/variants\/(\d+)(?:\/prices\/(\d+))?/.exec(one.pointer) ?? [];
    if (index === undefined) continue;
    const variant = variants[index];
    const id = variant?.prices?.[position]?.productId;
    one.label = `${variant?.key}: ${id ? `${products.get(id)?.name ?? 'a withdrawn product'} ` : ''}`;
    if (id) one.pointer = `/variants/${index}/prices/${id}`;
  }
  return error;
}

/** The same share for each variant, as text. */
function evenly(variants) {
  const share = Math.floor(WHOLE / variants.length);
  return variants.map((variant, index) => ({ ...variant, share: String((index === 0 ? WHOLE - share * (variants.length - 1) : share) / 100) }));
}

/** What the API is sent, of what was typed. */
function draftOf(values, variants, currency) {
  const weights = variants.map(({ share }) => tenThousandths(share));
  const sum = weights.reduce((before, weight) => before + weight, 0);
  if (sum !== WHOLE) throw fault('/variants', Number.isNaN(sum) ? 'need shares such as 50 or 33.34' : `have shares that sum to ${shareOf(sum)}, not to ${shareOf(WHOLE)}`);
  const coverage = tenThousandths(values.coverage);
  if (Number.isNaN(coverage)) throw fault('/coverage', 'must be a share such as 20 or 12.5');
  const chosen = (role) => METRICS.map(([metric]) => metric).filter((metric) => values[`${role} ${metric}`]);
  return {
    name: values.name.trim(),
    variants: variants.map(({ key, prices }, index) => ({ key: key.trim(), weight: weights[index], prices: index === 0 ? [] : pricesOf(index, prices, currency) })),
    coverage,
    metrics: { primary: values.primary, secondary: chosen('secondary').filter((metric) => metric !== values.primary), guardrails: chosen('guardrail') },
    hypothesis: values.hypothesis.trim() || null,
    startsAt: values.startsAt ? new Date(values.startsAt).toISOString() : null,
    stopsAt: values.stopsAt ? new Date(values.stopsAt).toISOString() : null,
  };
}

function pricesOf(index, prices, currency) {
  return Object.entries(prices).filter(([, text]) => text.trim()).map(([productId, text]) => {
    const amount = minorAmount(text, currency);
    if (!(amount > 0)) throw fault(`/variants/${index}/prices/${productId}`, 'must be an amount above zero', `variant ${index}:`);
    return { productId, price: { amount, currency } };
  });
}

function Products({ products, ids, currency, error, onAdd, onDrop }) {
  const [picked, setPicked] = useState(null);
  const others = [...products.values()].filter((product) => !ids.includes(product.productId) && (!currency || product.price.currency === currency));
  const next = others.find((product) => product.productId === picked) ?? others[0];
  return html`<fieldset><legend>Products</legend>
    ${ids.length === 0 ? html`<p class="quiet">Choose at least one.</p>` : html`<ul class="chips">${ids.map((id) => html`<li key=${id}><span class="tag">${products.get(id)?.name ?? 'a withdrawn product'}
      <button type="button" class="plain" aria-label=${`Leave out ${products.get(id)?.name ?? 'the withdrawn product'}`} onClick=${() => onDrop(id)}>✕</button></span></li>`)}</ul>`}
    ${next && html`<div class="adding"><${Field} label="Another product" as="select" value=${next.productId} onChange=${({ target }) => setPicked(target.value)}>${others.map((product) =>
      html`<option value=${product.productId} key=${product.productId}>${product.name}, ${money(product.price)}</option>`)}<//>
      <button type="button" onClick=${() => onAdd(next.productId)}>Add it</button></div>`}
    ${error instanceof Problem && error.fault('/variants') && html`<small class="fault">The variants ${error.fault('/variants')}.</small>`}</fieldset>`;
}

function Variant({ variant, index, products, ids, error, onChange, onDrop }) {
  const at = `/variants/${index}`;
  const faultAt = (id) => error instanceof Problem && error.body.errors?.find(({ pointer }) => pointer === `${at}/prices/${id}`);
  return html`<fieldset class="variant"><legend>${index === 0 ? 'Control' : `Variant ${index}`}</legend>
    <div class="pair">
      <${Field} label="Key" required maxlength="32" pattern="[A-Za-z0-9_\\-]+" value=${variant.key} onInput=${({ target }) => onChange({ key: target.value })} at=${`${at}/key`} error=${error} />
      <${Field} label="Share, per cent" required inputmode="decimal" value=${variant.share} onInput=${({ target }) => onChange({ share: target.value })} at=${`${at}/weight`} error=${error} />
    </div>
    ${index === 0 ? html`<p class="quiet">Sees the products’ own prices.</p>` : ids.map((id) => {
      const product = products.get(id);
      return html`<${Field} key=${id} label=${product?.name ?? 'a withdrawn product'} inputmode="decimal" value=${variant.prices[id] ?? ''} at=${`${at}/prices/${id}`} error=${faultAt(id) ? error : null}
        placeholder=${product && typed(product.price)} hint=${product && `${money(product.price)} if left empty`} onInput=${({ target }) => onChange({ prices: { ...variant.prices, [id]: target.value } })} />`;
    })}
    ${onDrop && html`<button type="button" class="plain" onClick=${onDrop}>Leave this variant out</button>`}</fieldset>`;
}

function Metrics({ metrics }) {
  const box = (role, text) => html`<fieldset><legend>${text}</legend>${METRICS.map(([metric, label]) => html`<label class="choice" key=${metric}>
    <input type="checkbox" name=${`${role} ${metric}`} defaultChecked=${role === 'secondary' ? metrics.secondary?.includes(metric) : metrics.guardrails?.includes(metric)} /> ${label}</label>`)}</fieldset>`;
  return html`<div class="columns">
    <${Field} label="What decides" as="select" name="primary">${METRICS.map(([metric, label]) => html`<option value=${metric} key=${metric} selected=${metric === metrics.primary}>${label}</option>`)}<//>
    ${box('secondary', 'Shown beside it')}${box('guardrail', 'Stops the experiment when it becomes worse')}</div>`;
}

/** What a form begins with. */
function begun({ variants = [{ key: 'control', weight: 5000 }, { key: 'low', weight: 5000 }] }) {
  return variants.map(({ key, weight, prices = [] }) => ({
    id: crypto.randomUUID(), key, share: String(weight / 100), prices: Object.fromEntries(prices.map(({ productId, price }) => [productId, typed(price)])),
  }));
}

function DraftForm({ experiment = {}, products, chosen, label, onSubmit, secondary }) {
  const [variants, setVariants] = useState(() => begun(experiment));
  const [ids, setIds] = useState(() => [...new Set([...begun(experiment).flatMap(({ prices }) => Object.keys(prices)), ...(products.has(chosen) ? [chosen] : [])])]);
  const currency = ids.map((id) => products.get(id)?.price.currency).find(Boolean);
  const change = (id, members) => setVariants(variants.map((variant) => (variant.id === id ? { ...variant, ...members } : variant)));
  const drop = (id) => {
    setIds(ids.filter((other) => other !== id));
    setVariants(variants.map((variant) => ({ ...variant, prices: Object.fromEntries(Object.entries(variant.prices).filter(([other]) => other !== id)) })));
  };
  const add = () => setVariants(evenly([...variants, { id: crypto.randomUUID(), key: `variant-${variants.length}`, prices: {} }]));
  const submit = async (values) => {
    const draft = draftOf(values, variants, currency);
    try {
      await onSubmit(draft);
    } catch (error) {
      throw placed(error, draft.variants, products);
    }
  };
  return html`<${Form} class="panel wide" label=${label} onSubmit=${submit} secondary=${secondary}>${(error) => html`
    <${Field} label="Name" name="name" required maxlength="200" at="/name" error=${error} defaultValue=${experiment.name} />
    <${Field} label="What you expect" as="textarea" rows="2" name="hypothesis" maxlength="2000" at="/hypothesis" error=${error} defaultValue=${experiment.hypothesis} />
    <${Products} products=${products} ids=${ids} currency=${currency} error=${error} onAdd=${(id) => setIds([...ids, id])} onDrop=${drop} />
    <div class="columns">${variants.map((variant, index) => html`<${Variant} key=${variant.id} variant=${variant} index=${index} products=${products} ids=${ids} error=${error}
      onChange=${(members) => change(variant.id, members)} onDrop=${variants.length > 2 && index > 0 && (() => setVariants(evenly(variants.filter((other) => other !== variant))))} />`)}</div>
    ${variants.length < MOST_VARIANTS && html`<p><button type="button" onClick=${add}>Add a variant</button></p>`}
    <${Metrics} metrics=${experiment.metrics ?? { primary: 'revenuePerVisitor', secondary: ['conversion'] }} />
    <div class="pair">
      <${Field} label="Per cent of the visitors in it" name="coverage" required inputmode="decimal" at="/coverage" error=${error} defaultValue=${String((experiment.coverage ?? WHOLE) / 100)} hint="The others see the products’ own prices." />
      <${Field} label="Starts by itself at" name="startsAt" type="datetime-local" at="/startsAt" error=${error} defaultValue=${localTime(experiment.startsAt)} hint="Empty: when you start it." />
      <${Field} label="Stops by itself at" name="stopsAt" type="datetime-local" at="/stopsAt" error=${error} defaultValue=${localTime(experiment.stopsAt)} hint="Empty: when you stop it." />
    </div>`}<//>`;
}

const withoutNull = (draft) => Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== null));

export function NewDraft({ products, chosen }) {
  const send = useOnce();
  const create = async (draft) => {
    const { body } = await send('POST', '/experiments', withoutNull(draft));
    go(to('experiments', body.experimentId), { replace: true });
  };
  return html`<${DraftForm} products=${products} chosen=${chosen} label="Save the draft" onSubmit=${create} />`;
}

export const ChangeDraft = ({ experiment, products, onSave, onKeep }) => html`<${DraftForm} experiment=${experiment} products=${products} label="Save the draft" onSubmit=${onSave}
  secondary=${html`<button type="button" onClick=${onKeep}>Keep it as it is</button>`} />`;
