// The account: log in, register, what mails lead to, profile, sessions, password, the user's data, closing it.
import { Confirm, Empty, Field, Form, ForUser, Loaded, Title, useLoad } from '/page/parts.js';
import { call, ended, get, logIn, session } from '/page/session.js';
import { go, html, to, useState, useStore, when } from '/page/view.js';

/** Back to the screen that asked for the log-in. */
const back = (query) => go(`#${query.get('then') || '/'}`, { replace: true });

const Email = ({ error }) => html`<${Field} label="E-mail address" name="email" type="email" autocomplete="username" required maxlength="254" at="/email" error=${error} />`;
const Secret = ({ label = 'Password', name = 'password', fresh, error, at }) => html`<${Field} label=${label} name=${name} type="password" required at=${at} error=${error}
  autocomplete=${fresh ? 'new-password' : 'current-password'} minlength=${fresh ? 12 : undefined} maxlength="128" hint=${fresh ? 'At least 12 characters; several words are good.' : undefined} />`;

export function LogIn({ query }) {
  const user = useStore(session);
  if (user) {
    back(query);
    return null;
  }
  return html`<${Title}>Log in<//>
    <${Form} class="panel narrow" label="Log in" onSubmit=${({ email, password }) => logIn(email.trim(), password)}>${(error) => html`
      <${Email} error=${error} /><${Secret} error=${error} at="/password" />`}<//>
    <p><a href=${to('register', { then: query.get('then') ?? undefined })}>Open an account</a> · <a href=${to('password-resets')}>Forgotten your password?</a></p>`;
}

export function Register({ query }) {
  const [unverified, setUnverified] = useState(false);
  const register = async ({ email, password, displayName }) => {
    await call('POST', '/users', { body: { email: email.trim(), password, displayName: displayName.trim() } });
    try {
      await logIn(email.trim(), password);
      back(query);
    } catch (error) {
      if (error.status !== 401) throw error;
      setUnverified(true);
    }
  };
  if (unverified) return html`<${Title}>Look into your mailbox<//><p class="note">A mail with a link is on its way. Open the link to show that the address is yours, then <a href=${to('login')}>log in</a>.</p>`;
  return html`<${Title}>Open an account<//>
    <${Form} class="panel narrow" label="Open the account" onSubmit=${register}>${(error) => html`
      <${Field} label="Name that others see" name="displayName" autocomplete="nickname" required maxlength="80" at="/displayName" error=${error} />
      <${Email} error=${error} /><${Secret} fresh error=${error} at="/password" />`}<//>
    <p><a href=${to('login', { then: query.get('then') ?? undefined })}>I have an account</a></p>`;
}

export function Verify({ query }) {
  const done = useLoad(() => call('POST', '/users/verification', { body: { token: query.get('token') ?? '' } }), []);
  return html`<${Title}>Your address<//>${done.status === 'failed' && done.error.status === 401
    ? html`<${Empty}>This link serves once, for a day, and serves no more. If you could not log in, register again.<//>`
    : html`<${Loaded} of=${done} what="the answer">${() => html`<p class="note">Your address is verified. <a href=${to('account')}>Go to your account</a></p>`}<//>`}`;
}

export function AskReset() {
  const [asked, setAsked] = useState(false);
  return html`<${Title}>A new password<//>${asked ? html`<p class="note" role="status">If the address has an account, a mail with a link is on its way. The link serves for 30 minutes.</p>`
    : html`<${Form} class="panel narrow" label="Send me a link" onSubmit=${async ({ email }) => { await call('POST', '/password-resets', { body: { email: email.trim() } }); setAsked(true); }}>${(error) =>
      html`<${Email} error=${error} />`}<//>`}`;
}

export function Reset({ query }) {
  const [done, setDone] = useState(false);
  const reset = async ({ password }) => {
    await call('POST', '/users/password', { body: { token: query.get('token') ?? '', password } });
    ended();
    setDone(true);
  };
  return html`<${Title}>A new password<//>${done ? html`<p class="note" role="status">The password is set, and all sessions have ended. <a href=${to('login')}>Log in</a></p>`
    : html`<${Form} class="panel narrow" label="Set the password" onSubmit=${reset}>${(error) => html`<${Secret} label="New password" fresh error=${error} at="/password" />
      ${error?.status === 401 && html`<p>The link serves no more. <a href=${to('password-resets')}>Ask for a new one</a></p>`}`}<//>`}`;
}

function Profile({ profile, onChange }) {
  const [saved, setSaved] = useState(false);
  const save = async ({ displayName }) => {
    const { body } = await call('PATCH', '/users/me', { body: { displayName: displayName.trim() }, headers: { 'if-match': `"${profile.version}"` } });
    setSaved(true);
    onChange(body);
  };
  return html`<section class="panel" aria-labelledby="profile"><h2 id="profile">Profile</h2>
    <p>${profile.email} ${profile.verifiedAt ? html`<span class="tag good">verified</span>` : html`<span class="tag">not verified yet</span>`}<br />
      <span class="quiet">here since ${when(profile.createdAt, { dateStyle: 'long' })}</span></p>
    <${Form} label="Save" onSubmit=${save} key=${profile.version}>${(error) => html`<${Field} label="Name that others see" name="displayName" required maxlength="80"
      defaultValue=${profile.displayName} at="/displayName" error=${error} />`}<//>
    <p role="status">${saved && 'Saved.'}</p></section>`;
}

/** What a browser calls itself, in two words; other programs as they are. */
function programOf(agent) {
  if (!agent) return 'an unknown program';
  const browser = [['Edg/', 'Edge'], ['Firefox/', 'Firefox'], ['Chrom', 'Chrome'], ['Safari/', 'Safari']].find(([mark]) => agent.includes(mark));
  const system = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'macOS'], ['Linux', 'Linux']].find(([mark]) => agent.includes(mark));
  return agent.startsWith('Mozilla/') && browser ? `${browser[1]}${system ? ` on ${system[1]}` : ''}` : agent;
}

function Sessions() {
  const sessions = useLoad((signal) => get('/sessions', { signal }), []);
  const end = async (one) => {
    await call('DELETE', `/sessions/${one.sessionId}`);
    sessions.reload();
  };
  return html`<section class="panel" aria-labelledby="sessions"><h2 id="sessions">Where you are logged in</h2><${Loaded} of=${sessions} what="your sessions">${({ items }) => html`
    <ul class="rows">${items.map((one) => html`<li key=${one.sessionId}><div><span title=${one.userAgent}>${programOf(one.userAgent)}<br /><small class="quiet">since ${when(one.createdAt)}, last used ${when(one.lastUsedAt)}</small></span>
      ${one.current ? html`<span class="tag good">this one</span>` : html`<${Confirm} label="End" question="End this session?" yes="End it" onYes=${() => end(one)} />`}</div></li>`)}</ul>
    <${Confirm} label="End all sessions" question="Log out everywhere, here too?" yes="Log out everywhere" onYes=${async () => { await call('DELETE', '/sessions'); ended(); }} />`}<//></section>`;
}

function Password() {
  const [done, setDone] = useState(0);
  return html`<section class="panel" aria-labelledby="password"><h2 id="password">Password</h2>
    <${Form} key=${done} label="Change it" onSubmit=${async (body) => { await call('PUT', '/users/me/password', { body }); setDone(done + 1); }}>${(error) => html`
      <${Secret} label="Present password" name="currentPassword" error=${error} at="/currentPassword" /><${Secret} label="New password" name="newPassword" fresh error=${error} at="/newPassword" />`}<//>
    <p role="status">${done > 0 && 'It is changed. All other sessions have ended.'}</p></section>`;
}

/** All pages of the export in one file. */
async function download() {
  const pages = [];
  let cursor;
  do {
    const page = await get(`/users/me/export${cursor ? `?cursor=${cursor}` : ''}`);
    pages.push(page);
    cursor = page.nextCursor;
  } while (cursor);
  const all = { profile: pages[0].profile };
  for (const kind of ['orders', 'products', 'reviews', 'watches', 'experiments', 'sessions']) all[kind] = pages.flatMap((page) => page[kind]);
  const address = URL.createObjectURL(new Blob([JSON.stringify(all, null, 2)], { type: 'application/json' }));
  const link = Object.assign(document.createElement('a'), { href: address, download: 'souk.json' });
  link.click();
  URL.revokeObjectURL(address);
}

export const Account = () => html`<${ForUser} why="Your account is yours alone.">${(user) => html`<${Whole} user=${user} />`}<//>`;

function Whole({ user }) {
  const profile = useLoad((signal) => get('/users/me', { signal }), []);
  return html`<${Title} beside=${html`<a class="button" href=${to('seller', user.userId)}>Your products</a>`}>Your account<//>
    <div class="columns"><${Loaded} of=${profile} what="your profile">${(value) => html`<${Profile} profile=${value} onChange=${profile.replace} />`}<//>
    <${Password} /><${Sessions} />
    <section class="panel" aria-labelledby="data"><h2 id="data">Your data</h2><${Form} label="Download all of it" busyLabel="Collecting…" onSubmit=${download}><p>Orders, products, reviews, watches, experiments and sessions, as one file.</p><//>
      <h3>Close the account</h3><p>Your products are withdrawn, and your name is removed from reviews.</p>
      <${Confirm} label="Close the account" question="Close it for good?" yes="Close it" onYes=${async ({ password }) => { await call('DELETE', '/users/me', { body: { password } }); ended(); go('#/'); }}><${Secret} /><//>
    </section></div>`;
}
