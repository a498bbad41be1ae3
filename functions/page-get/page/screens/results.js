// What an experiment has shown: the verdict in words, intervals as bars, warnings, and what each day brought.
import { Chart } from '/page/chart.js';
import { Empty, Failed, Loaded, useLoad } from '/page/parts.js';
import { get } from '/page/session.js';
import { html, major, minorDigits, money, number, plural, useState, when } from '/page/view.js';

const METRICS = {
  conversion: { title: 'Conversion', sentence: 'more of its visitors buy', worse: 'fewer of its visitors buy' },
  revenuePerVisitor: { title: 'Revenue per visitor', sentence: 'each visitor brings more', worse: 'each visitor brings less' },
  averageOrder: { title: 'Average order', sentence: 'orders are larger', worse: 'orders are smaller' },
};
const ROLES = { primary: 'decides', secondary: 'shown beside', guardrail: 'guardrail' };
const VERDICTS = { better: ['better', 'good'], worse: ['worse', 'sold'], undecided: ['not decided', ''] };
const REASONS = {
  'no-users': 'there are no visitors yet', 'too-few-users': 'there are too few visitors yet', 'zero-baseline': 'nobody of the control has bought yet',
  'zero-variance': 'all visitors did the same', 'zero-denominator': 'there are no orders yet', unreachable: 'no number of visitors would show so small a difference',
};
const reasonOf = ({ reason }) => REASONS[reason] ?? `it cannot be computed (${reason})`;
/** Ends of the scale of bars. */
const SCALES = [0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const COLOURS = 5;

const percent = (value, digits = 1) => number(value, { style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits });
const signed = (value) => number(value, { style: 'percent', maximumFractionDigits: 1, signDisplay: 'exceptZero' });
const span = ([low, high]) => `${signed(low)} to ${signed(high)}`;

/** The mean of a metric: a share, or money. */
const meanOf = (metric, mean) => {
  if (mean === null) return '—';
  return metric.metric === 'conversion' ? percent(mean, 2) : money({ amount: mean, currency: metric.currency });
};

const Verdict = ({ of }) => html`<span class=${`tag ${VERDICTS[of]?.[1] ?? ''}`}>${VERDICTS[of]?.[0] ?? of}</span>`;

/** The verdict on a variant, in a sentence that begins with its name. */
function inWords({ metric, againstControl }, control, settings, conversions) {
  const { reason, verdict, sequential, visitorsNeeded, lift } = againstControl;
  if (reason) return `cannot be compared: ${reasonOf(againstControl)}.`;
  const { sentence, worse } = METRICS[metric] ?? { sentence: `${metric} is higher`, worse: `${metric} is lower` };
  if (verdict === 'better') return `is better than ${control}: ${sentence}, by ${signed(lift)} (${span(sequential.interval)}).`;
  if (verdict === 'worse') return `is worse than ${control}: ${worse}, by ${signed(lift)} (${span(sequential.interval)}).`;
  if (conversions < settings.minimumConversions) return `is not decided yet: a verdict needs ${plural(settings.minimumConversions, 'buyer')} of each variant.`;
  if (visitorsNeeded.reason) return `is not decided: ${reasonOf(visitorsNeeded)}.`;
  return `is not decided yet: if the difference stays as it is, it takes about ${plural(visitorsNeeded.additionalUsers, 'more visitor', 'more visitors')}.`;
}

/** An interval as a bar, the lift as a mark on it, and the line of no difference. */
function Bar({ variant, index, result, scale }) {
  const x = (value) => 100 + (Math.max(-scale, Math.min(scale, value)) / scale) * 98;
  const [low, high] = result.sequential.interval;
  return html`<svg class="bar" viewBox="0 0 200 20" preserveAspectRatio="none" role="img" aria-label=${`${variant}: ${signed(result.lift)}, between ${span(result.sequential.interval)}`}>
    <path d="M2 10H198" class="base" /><path d=${`M${x(low)} 10H${x(high)}`} class="interval" data-swatch=${index % COLOURS} />
    <path d="M100 0V20" class="zero" /><path d=${`M${x(result.lift)} 2V18`} class="lift" /></svg>`;
}

function Metric({ metric }) {
  const [control, ...others] = metric.variants;
  const compared = others.filter(({ againstControl }) => !againstControl.reason);
  const widest = Math.max(0, ...compared.flatMap(({ againstControl }) => [...againstControl.sequential.interval, againstControl.lift].map(Math.abs)));
  const scale = SCALES.find((end) => widest <= end) ?? SCALES.at(-1);
  return html`<section class="panel metric" aria-label=${`${METRICS[metric.metric]?.title ?? metric.metric}, ${ROLES[metric.role]}`}>
    <div class="title"><h3>${METRICS[metric.metric]?.title ?? metric.metric}</h3><span class="quiet">${ROLES[metric.role]}</span></div>
    <p class="quiet">${control.variant}: ${meanOf(metric, control.mean)}</p>
    <ul class="bars">${others.map((one, place) => html`<li key=${one.variant}>
      <span><strong data-swatch=${(place + 1) % COLOURS}>${one.variant}</strong> <span class="quiet">${meanOf(metric, one.mean)}</span></span>
      ${one.againstControl.reason ? html`<span class="quiet">${reasonOf(one.againstControl)}</span>`
        : html`<${Bar} variant=${one.variant} index=${place + 1} result=${one.againstControl} scale=${scale} />
          <span class="number">${signed(one.againstControl.lift)}</span><${Verdict} of=${one.againstControl.verdict} />`}</li>`)}
      ${compared.length > 0 && html`<li class="scale-ends" aria-hidden="true"><span>${signed(-scale)}</span><span>no difference</span><span>${signed(scale)}</span></li>`}</ul>
    <details><summary>The figures</summary><${Figures} metric=${metric} variants=${metric.variants} caption="As counted" />
      ${metric.winsorised?.variants && html`<${Figures} metric=${metric} variants=${metric.winsorised.variants} caption=${`Capped at ${money({ amount: Number(metric.winsorised.cap), currency: metric.currency })}, so that few large orders decide nothing`} />`}
      ${metric.cuped && html`<${Figures} metric=${metric} variants=${metric.cuped.variants} caption="Less what the visitors’ earlier orders explain (CUPED)" />`}
    </details></section>`;
}

function Figures({ metric, variants, caption }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${`${METRICS[metric.metric]?.title ?? metric.metric}: ${caption}`}><table><caption>${caption}</caption>
    <thead><tr><th scope="col">Variant</th>${['Visitors', 'Mean', 'Lift', 'Interval, however often one looks', 'Interval, for one look', 'Chance to beat', 'p'].map((name) => html`<th scope="col" class="number" key=${name}>${name}</th>`)}</tr></thead>
    <tbody>${variants.map(({ variant, users, mean, againstControl: against }) => html`<tr key=${variant}><th scope="row">${variant}</th><td class="number">${number(users)}</td><td class="number">${meanOf(metric, mean)}</td>
      ${!against || against.reason ? html`<td class="number quiet" colspan="5">${against ? reasonOf(against) : 'control'}</td>`
        : html`<td class="number">${signed(against.lift)}</td><td class="number">${span(against.sequential.interval)}</td><td class="number">${span(against.fixed.interval)}</td>
          <td class="number">${percent(against.bayesian.chanceToBeat)}</td><td class="number">${number(against.adjustedPValue, { maximumFractionDigits: 4 })}</td>`}</tr>`)}</tbody></table></div>`;
}

function Visitors({ results }) {
  const total = results.variants.reduce((sum, { users }) => sum + users, 0);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Visitors of the variants"><table>
    <thead><tr><th scope="col">Variant</th><th scope="col" class="number">Visitors</th><th scope="col" class="number">Buyers</th><th scope="col" class="number">Share</th><th scope="col" class="number">Share by the draft</th></tr></thead>
    <tbody>${results.variants.map(({ variant, weight, users, conversions }, index) => html`<tr key=${variant}><th scope="row"><span data-swatch=${index % COLOURS}>${variant}</span></th><td class="number">${number(users)}</td>
      <td class="number">${number(conversions)}</td><td class="number">${total ? percent(users / total) : '—'}</td><td class="number">${percent(weight / 10000)}</td></tr>`)}</tbody></table></div>`;
}

/** The days from the first to the last; a day without anything is not among the series. */
function daysOf(series) {
  const days = [];
  for (let day = Date.parse(series[0].date); day <= Date.parse(series.at(-1).date); day += 86_400_000) days.push(day);
  return days;
}

/** What a day can be shown by: its figure for a variant, of the days until then. */
function measures(currency) {
  const sum = (member) => (days) => days.reduce((before, day) => before + Number(day[member]), 0);
  const last = (member) => (days) => Number(days.at(-1)[member]);
  const paid = (amount) => money({ amount, currency });
  return {
    rate: ['Conversion until then', (days) => sum('conversions')(days) / (sum('users')(days) || 1), (value) => percent(value, 2)],
    users: ['New visitors', last('users'), number], conversions: ['First-time buyers', last('conversions'), number], orders: ['Orders', last('orders'), number],
    ...(currency && { revenue: ['Revenue', last('revenue'), paid] }),
  };
}

function Series({ series, keys, currency }) {
  const [name, setName] = useState('rate');
  const all = measures(currency);
  const [label, figure, shown] = all[name];
  const days = daysOf(series);
  const none = { users: 0, conversions: 0, orders: 0, revenue: '0' };
  const found = new Map(series.map(({ date, variants }) => [Date.parse(date), new Map(variants.map((one) => [one.variant, one]))]));
  const rows = keys.map((key) => {
    const daily = days.map((day) => found.get(day)?.get(key) ?? none);
    return daily.map((_, index) => figure(daily.slice(0, index + 1)));
  });
  const dayOf = (day) => when(day, { month: 'short', day: 'numeric', timeZone: 'UTC' });
  const plot = (colour, axis) => ({
    data: [days.map((day) => day / 1000), ...rows.map((row) => (name === 'revenue' ? row.map((amount) => major({ amount, currency })) : row))],
    scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low * 1.15), high * 1.15 || 1] } },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map((time) => dayOf(time * 1000)), splits: ({ width }) => days.filter((_, index) => index % Math.ceil((days.length * 80) / width) === 0).map((day) => day / 1000) },
      { ...axis, size: 80, values: (_, ticks) => ticks.map((value) => shown(name === 'revenue' ? value * 10 ** minorDigits(currency) : value)) },
    ],
    series: [{}, ...keys.map((_, index) => ({ stroke: colour(`--variant-${index % COLOURS}`), width: 2, dash: index < COLOURS ? undefined : [6, 4], points: { show: days.length < 40 } }))],
  });
  return html`<section aria-labelledby="days"><div class="title"><h3 id="days">Day by day</h3>
      <label class="inline">Show <select value=${name} onChange=${({ target }) => setName(target.value)}>${Object.entries(all).map(([key, [text]]) => html`<option value=${key} key=${key}>${text}</option>`)}</select></label></div>
    <ul class="legend" aria-hidden="true">${keys.map((key, index) => html`<li key=${key} data-swatch=${index % COLOURS}>${key}</li>`)}</ul>
    <${Chart} plot=${plot} inputs=${[series, name, currency]} label=${`${label} by day; the table below has the same figures`} />
    <div class="scroll tall" tabindex="0" role="region" aria-label=${`${label} by day`}><table><thead><tr><th scope="col">Day (UTC)</th>${keys.map((key) => html`<th scope="col" class="number" key=${key}>${key}</th>`)}</tr></thead>
      <tbody>${days.map((day, index) => html`<tr key=${day}><th scope="row">${dayOf(day)}</th>${rows.map((row, place) => html`<td class="number" key=${keys[place]}>${shown(row[index])}</td>`)}</tr>`).reverse()}</tbody></table></div></section>`;
}

function Shown({ results, reload }) {
  const { variants, metrics, settings, sampleRatio, excluded, series } = results;
  const keys = variants.map(({ variant }) => variant);
  const fewest = Math.min(...variants.map(({ conversions }) => conversions));
  const primary = metrics.find(({ role }) => role === 'primary');
  const currency = metrics.find((metric) => metric.currency)?.currency;
  if (variants.every(({ users }) => users === 0)) {
    return html`<${Empty}>No visitor has been counted yet. They count once they have seen a price of the experiment; it takes some seconds. <button type="button" onClick=${reload}>Look again</button><//>`;
  }
  const left = [[excluded.multipleExposures, 'met two variants'], [excluded.bots, 'are programs']].filter(([count]) => count > 0);
  return html`
    ${sampleRatio.mismatch && html`<div class="note failed" role="alert"><p><strong>Do not trust these figures.</strong> The visitors are not shared as the draft says (p = ${number(sampleRatio.pValue, { maximumSignificantDigits: 2 })}):
      reports of one variant are lost, or made up.</p></div>`}
    <div class="note verdict" role="status">${primary.variants.slice(1).map((one) =>
      html`<p key=${one.variant}><strong>${one.variant}</strong> ${inWords({ metric: primary.metric, ...one }, keys[0], settings, fewest)}</p>`)}</div>
    <${Visitors} results=${results} />
    ${left.length > 0 && html`<p class="quiet">Not counted: ${left.map(([count, why]) => `${plural(count, 'visitor')} who ${why}`).join(', ')}.</p>`}
    ${metrics.map((metric) => html`<${Metric} metric=${metric} key=${`${metric.role} ${metric.metric}`} />`)}
    ${series.length > 0 && html`<${Series} series=${series} keys=${keys} currency=${currency} />`}`;
}

export function Results({ experiment }) {
  const id = experiment.experimentId;
  const loaded = useLoad((signal) => get(`/experiments/${encodeURIComponent(id)}/results`, { signal }), [id, experiment.version]);
  if (loaded.status === 'failed' && loaded.error.status === 503) {
    return html`<section aria-labelledby="results"><h2 id="results">Results</h2><${Empty}>There are no figures at the moment: what counts visitors does not answer. Prices are tested all the same.
      ${' '}<button type="button" onClick=${loaded.reload}>Try again</button><//></section>`;
  }
  return html`<section aria-labelledby="results"><div class="title"><h2 id="results">Results</h2>
      ${loaded.value && html`<span class="quiet">as of ${when(loaded.value.asOf)} <button type="button" class="plain" onClick=${loaded.reload}>Look again</button></span>`}</div>
    <${Loaded} of=${loaded} what="the results">${(results) => html`<${Shown} results=${results} reload=${loaded.reload} />`}<//></section>`;
}
