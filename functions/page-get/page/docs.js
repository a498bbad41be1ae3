// The page of the API's contract: RapiDoc, with the access token of the user who is logged in.
import { begin, session } from '/page/session.js';
import '/page/rapidoc.js';

const dark = matchMedia('(prefers-color-scheme: dark)');
const documentation = document.createElement('rapi-doc');
const attributes = {
  'spec-url': '/openapi.json', 'render-style': 'focused', 'show-header': 'false', 'load-fonts': 'false', 'allow-server-selection': 'false',
  'allow-authentication': 'true', 'allow-spec-url-load': 'false', 'allow-spec-file-load': 'false', 'regular-font': 'system-ui, sans-serif', 'mono-font': 'ui-monospace, monospace',
  'schema-description-expanded': 'true', 'use-path-in-nav-bar': 'true', 'nav-item-spacing': 'compact', 'font-size': 'large', 'persist-auth': 'false',
};
for (const [name, value] of Object.entries(attributes)) documentation.setAttribute(name, value);

function paint() {
  documentation.setAttribute('theme', dark.matches ? 'dark' : 'light');
  documentation.setAttribute('bg-color', dark.matches ? '#17130e' : '#fbf7f0');
  documentation.setAttribute('text-color', dark.matches ? '#f1e9dc' : '#2a2118');
  documentation.setAttribute('primary-color', dark.matches ? '#f09a6c' : '#a53c17');
  documentation.setAttribute('nav-bg-color', dark.matches ? '#221c15' : '#fffdf9');
  documentation.setAttribute('nav-text-color', dark.matches ? '#f1e9dc' : '#2a2118');
  documentation.setAttribute('nav-hover-bg-color', dark.matches ? '#2d251b' : '#f3e8d6');
  documentation.setAttribute('nav-accent-color', dark.matches ? '#f09a6c' : '#a53c17');
}

/** Colours with enough contrast, and names of fields: what axe finds in RapiDoc. */
const mended = new WeakSet();

function mend(root) {
  if (!root || mended.has(root)) return;
  mended.add(root);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { --blue: light-dark(#1c5f94, #7cc0f2) !important; --green: light-dark(#1f6b3a, #86d39f) !important; --orange: light-dark(#8a4b00, #f2b84b) !important; }
    .string, .number { color: light-dark(#3c5a00, #b5d67a) !important; } .boolean, .null { color: light-dark(#7a3e9d, #d9a8f0) !important; }`);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  const name = () => {
    // Each operation's form is in a tree of its own.
    for (const inner of root.querySelectorAll('api-request, api-response')) mend(inner.shadowRoot);
    for (const field of root.querySelectorAll('.request-param:not([aria-label])')) field.setAttribute('aria-label', field.dataset.pname ?? 'value');
    for (const field of root.querySelectorAll('textarea:not([aria-label]), select:not([aria-label])')) field.setAttribute('aria-label', field.dataset.ptype ?? 'choice');
  };
  name();
  new MutationObserver(name).observe(root, { childList: true, subtree: true });
}

let isLoaded = false;

/** Requests that the page sends have the token of the session, as it is at the time. */
function authorize(tokens) {
  if (tokens === undefined) return;
  document.getElementById('who').textContent = tokens ? 'The API. Requests are sent in your name.' : 'The API. Log in on the page to send requests in your name.';
  if (isLoaded) documentation.setApiKey('accessToken', tokens?.accessToken ?? '-');
}

paint();
dark.addEventListener('change', paint);
documentation.addEventListener('spec-loaded', () => {
  isLoaded = true;
  authorize(session.value);
});
session.subscribe(authorize);
document.getElementById('docs').append(documentation);
mend(documentation.shadowRoot);
begin();
