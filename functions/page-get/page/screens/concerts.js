// Concerts near a place: a list by distance or time and a drawing of where they are; one concert; adding one.
import { Confirm, Empty, Failed, Field, Form, ForUser, Loaded, More, Title, useLoad, usePages } from '/page/parts.js';
import { fault, isUndecided, read } from '/page/request.js';
import { call, session } from '/page/session.js';
import { go, html, number, remember, to, useRef, useState, useStore, when } from '/page/view.js';

/** The reader's time zone. */
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;

const km = (distance) => number(distance, { style: 'unit', unit: 'kilometer', maximumFractionDigits: distance < 10 ? 1 : 0 });

/** Where the concerts are, seen from the place in the middle: north is up, and the outer ring is beyond the farthest of them. */
function Drawing({ place, concerts }) {
  const half = 150;
  const radius = Math.min(place.radius, Math.max(...concerts.map((concert) => concert.distanceKm), 0.1) * 1.1);
  const shrink = Math.cos((place.latitude * Math.PI) / 180);
  const dots = concerts.map(({ concertId, name, venue }) => {
    const east = ((((venue.longitude - place.longitude) % 360) + 540) % 360 - 180) * shrink * 111.32;
    const north = (venue.latitude - place.latitude) * 111.32;
    return { concertId, name, x: half + (east / radius) * (half - 14), y: half - (north / radius) * (half - 14) };
  });
  return html`<svg class="drawing" viewBox="0 0 300 300" role="img" aria-label="Where the concerts are, seen from the place in the middle">
    ${[1 / 3, 2 / 3, 1].map((part) => html`<circle key=${part} cx=${half} cy=${half} r=${part * (half - 14)} class="ring" />
      <text x=${half} y=${half - part * (half - 14) + 11} class="scale">${km(radius * part)}</text>`)}
    <path d="M150 143v14M143 150h14" class="middle" />
    ${dots.map((dot, index) => html`<g key=${dot.concertId}><circle cx=${dot.x} cy=${dot.y} r="8" class="dot" /><text x=${dot.x} y=${dot.y + 3.5} class="index">${index + 1}</text></g>`)}
  </svg>`;
}

function Search({ query }) {
  const [error, setError] = useState(null);
  const form = useRef();
  const search = (values) => go(to('concerts', { latitude: values.latitude, longitude: values.longitude, radius: values.radius, sort: values.sort }));
  const locate = () => {
    setError(null);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const values = Object.fromEntries(new FormData(form.current.querySelector('form')));
        search({ ...values, latitude: coords.latitude.toFixed(4), longitude: coords.longitude.toFixed(4) });
      },
      () => setError('Your browser does not tell where you are. Type the coordinates instead.'),
      { timeout: 10000, maximumAge: 600000 },
    );
  };
  return html`<div ref=${form}><${Form} class="panel inline-form" label="Search" onSubmit=${search} secondary=${html`<button type="button" onClick=${locate}>Near me</button>`}>${() => html`
    <${Field} label="Latitude" name="latitude" type="number" step="any" min="-90" max="90" required defaultValue=${query.get('latitude') ?? '1.2903'} />
    <${Field} label="Longitude" name="longitude" type="number" step="any" min="-180" max="180" required defaultValue=${query.get('longitude') ?? '103.852'} />
    <${Field} label="Within, km" name="radius" type="number" step="any" min="0.1" max="500" required defaultValue=${query.get('radius') ?? '20'} />
    <${Field} label="First" as="select" name="sort">${[['distance', 'the nearest'], ['startsAt', 'the soonest']].map(([name, label]) => html`<option value=${name} key=${name}
      selected=${name === (query.get('sort') ?? 'distance')}>${label}</option>`)}<//>`}<//>
    ${error && html`<p class="note failed" role="alert">${error}</p>`}</div>`;
}

function Found({ query }) {
  const place = { latitude: Number(query.get('latitude')), longitude: Number(query.get('longitude')), radius: Number(query.get('radius') ?? 20) };
  const asked = new URLSearchParams({ ...place, sort: query.get('sort') ?? 'distance', limit: 20 });
  const pages = usePages((cursor, signal) => read(`/concerts?${asked}${cursor ? `&cursor=${cursor}` : ''}`, { signal }), [asked.toString()], 'concerts');
  return html`<${Loaded} of=${pages.first} what="concerts">${() => (pages.items.length === 0
    ? html`<${Empty}>No concert is planned within ${km(place.radius)}. Search further around, or <a href=${to('concerts', 'new')}>add one</a>.<//>`
    : html`<div class="map"><ol class="rows numbered">${pages.items.map((concert) => html`<li key=${concert.concertId}><a href=${to('concerts', concert.concertId)}>
        <span><strong>${concert.name}</strong><br /><small class="quiet">${concert.bands.map((band) => band.name).join(', ')}</small></span>
        <span>${when(concert.startsAt)}</span><span class="quiet">${concert.venue.name}</span><span class="number">${km(concert.distanceKm)}</span></a></li>`)}</ol>
        <${Drawing} place=${place} concerts=${pages.items} /></div><p class="quiet">Times are those of your clock: ${HERE}.</p><${More} of=${pages} />`)}<//>`;
}

/** When the concert begins by the reader's clock, and by that of the venue if it is another. */
function Begins({ at, venueId }) {
  const venue = useLoad((signal) => read(`/venues/${encodeURIComponent(venueId)}`, { signal }), [venueId]);
  const zone = venue.value?.timeZone;
  const there = zone && zone !== HERE && when(at, { dateStyle: 'medium', timeStyle: 'short', timeZone: zone });
  return html`<p class="large">${when(at, { dateStyle: 'full', timeStyle: 'short' })} <small class="quiet">by your clock, ${HERE}</small></p>
    ${there && html`<p>There it is ${there} <span class="quiet">(${zone})</span>.</p>`}`;
}

function One({ id }) {
  const user = useStore(session);
  const loaded = useLoad((signal) => read(`/concerts/${encodeURIComponent(id)}`, { signal }), [id]);
  if (loaded.status === 'failed') return html`<${Title}>Concert<//><${Failed} error=${loaded.error} retry=${loaded.reload} />`;
  return html`<p class="crumbs"><a href=${to('concerts')}>Concerts</a></p><${Loaded} of=${loaded} what="the concert">${(concert) => (concert.status
    ? html`<${Title}>Concert<//><p class="note">${concert.status === 'failed' ? `It could not be added: ${concert.reason.detail}` : 'It is being added.'}
        ${' '}<button type="button" onClick=${loaded.reload}>Look again</button></p>`
    : html`<${Title}>${concert.name}<//>
      <${Begins} at=${concert.startsAt} venueId=${concert.venue.venueId} />
      <dl class="figures"><div><dt>Line-up</dt><dd>${concert.bands.map((band) => html`<span class="block" key=${band.bandId}>${band.name}</span>`)}</dd></div>
        <div><dt>Venue</dt><dd>${concert.venue.name}<small class="text quiet">${concert.venue.address}</small></dd></div></dl>
      <p><a href=${to('concerts', { latitude: concert.venue.latitude, longitude: concert.venue.longitude, radius: 5 })}>Other concerts around it</a></p>
      ${user?.userId === concert.ownerId && html`<${Confirm} label="Delete the concert" question="Delete it for good?" yes="Delete it"
        onYes=${async () => { await call('DELETE', `/concerts/${id}`); go(to('concerts')); }} />`}`)}<//>`;
}

/** The key of the request that was sent last, kept over reloads until its answer is known. */
const sent = remember(sessionStorage, 'souk.concert');

function New() {
  const add = async (values) => {
    const bands = values.bands.split('\n').map((name) => name.trim()).filter(Boolean).map((name) => ({ name }));
    if (!bands.length) throw fault('/bands', 'needs a name');
    const body = {
      name: values.name.trim(), startsAt: new Date(values.startsAt).toISOString(), bands,
      venue: { name: values.venue.trim(), address: values.address.trim(), latitude: Number(values.latitude), longitude: Number(values.longitude), timeZone: values.timeZone },
    };
    const text = JSON.stringify(body);
    const before = sent.read();
    const key = before?.text === text ? before.key : crypto.randomUUID();
    sent.write({ key, text });
    try {
      const answer = await call('POST', '/concerts', { body, headers: { 'idempotency-key': key, prefer: 'wait=10' } });
      sent.write(null);
      go(to('concerts', answer.body.concertId));
    } catch (error) {
      if (!isUndecided(error)) sent.write(null);
      throw error;
    }
  };
  const zones = Intl.supportedValuesOf('timeZone');
  return html`<p class="crumbs"><a href=${to('concerts')}>Concerts</a></p><${ForUser} why="To add a concert, Souk has to know who you are.">${() => html`<${Title}>Add a concert<//>
    <p class="lead">The concert, its bands and its venue appear together, or not at all.</p>
    <${Form} class="panel" label="Add the concert" onSubmit=${add}>${(error) => html`
      <${Field} label="Name" name="name" required maxlength="200" at="/name" error=${error} />
      <${Field} label="Begins, by your clock" name="startsAt" type="datetime-local" required at="/startsAt" error=${error} />
      <${Field} label="Bands, one a line" as="textarea" rows="3" name="bands" required at="/bands" error=${error} />
      <${Field} label="Venue" name="venue" required maxlength="200" at="/venue/name" error=${error} />
      <${Field} label="Address" as="textarea" rows="2" name="address" required maxlength="500" at="/venue/address" error=${error} />
      <div class="pair"><${Field} label="Latitude" name="latitude" type="number" step="any" min="-90" max="90" required at="/venue/latitude" error=${error} />
      <${Field} label="Longitude" name="longitude" type="number" step="any" min="-180" max="180" required at="/venue/longitude" error=${error} /></div>
      <${Field} label="Time zone of the venue" as="select" name="timeZone" at="/venue/timeZone" error=${error}>${[...new Set([HERE, ...zones])].map((zone) => html`<option key=${zone} selected=${zone === HERE}>${zone}</option>`)}<//>`}<//>`}<//>`;
}

export function Concerts({ path: [id], query }) {
  if (id === 'new') return html`<${New} />`;
  if (id) return html`<${One} id=${id} />`;
  return html`<${Title} beside=${html`<a class="button" href=${to('concerts', 'new')}>Add a concert</a>`}>Concerts near me<//>
    <${Search} query=${query} key=${query.toString()} />
    ${query.has('latitude') ? html`<${Found} query=${query} key=${query.toString()} />` : html`<${Empty}>Say where: let the browser tell your place, or type its coordinates.<//>`}`;
}
