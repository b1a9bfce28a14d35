/**
 * Who may ask what of a gateway. By default whoever reaches its port, but no page of another site through somebody's browser:
 *
 *   Host              is `localhost`, an address, or a name from the configuration, so that no foreign name can be made
 *                     to lead here ("DNS rebinding")
 *   Origin,           of a request that may change something, are those of this gateway's own pages; who is no browser
 *   Sec-Fetch-Site    sends neither
 *   Authorization     of a private gateway holds its token: `tahoe-lafs TOKEN`, or as the password of a browser's dialogue
 *   the method        of a read-only gateway is GET or HEAD, or POST where it only looks: a check, a walk, a status page
 * @see Fetch Metadata Request Headers; RFC 9110 section 7.2
 */
import { equalBytes, utf8 } from '#core/bytes.js';
import type { CryptoProvider } from '#core/crypto.js';
import { TahoeError } from '#core/errors.js';
import type { Arguments } from './arguments.js';
import { isWalk } from './walk-names.js';

/** What a gateway lets in. */
export interface GuardOptions {
  /** What `/private` takes, and a private gateway. */
  readonly token: string;
  /** Names, beside `localhost`, under which it may be asked. */
  readonly hosts: readonly string[];
  /** Whether everything takes the token. */
  readonly isPrivate: boolean;
  readonly isReadOnly: boolean;
}

/** What is looked at of a request. */
export interface GuardedRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const READING = ['GET', 'HEAD'];
/** Whoever looks after a node asks these without a token, and these by whatever name: they tell nothing of what is stored. */
const FOR_ALL = ['/healthz', '/readyz'];
const BY_ANY_NAME = ['/metrics'];
const BELOW_CAPABILITY = /^\/(uri|cap)\/./s;
const STATUS_PAGES = /^\/(status|statistics|storage|helper_status|operations|tallac\/v1\/grid)(\/|$)/;
const HOST = /^([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$/i;
const ADDRESS = /^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[.*\])$/;

/** Looks at requests before anything else is done with them. */
export class Guard {
  readonly #options: GuardOptions;
  readonly #crypto: Pick<CryptoProvider, 'sha256'>;
  readonly #hosts: ReadonlySet<string>;

  constructor(crypto: Pick<CryptoProvider, 'sha256'>, options: GuardOptions) {
    this.#crypto = crypto;
    this.#options = options;
    this.#hosts = new Set(['localhost', ...options.hosts.map((host) => host.toLowerCase())]);
  }

  /** What speaks against a request; undefined when nothing does. */
  objection({ method = 'GET', url = '/', headers }: GuardedRequest): TahoeError | undefined {
    if (FOR_ALL.includes(url) && READING.includes(method)) return undefined;
    const host = textOf(headers['host']);
    const here = hostOf(host);
    if (here === undefined || !(this.#isOurs(here) || BY_ANY_NAME.includes(url))) return new TahoeError('ERR_HOST', {});
    const mayChange = !READING.includes(method) || headers['upgrade'] !== undefined;
    if (mayChange && !isFromHere(here, headers)) return new TahoeError('ERR_CROSS_SITE', {});
    if (this.#options.isReadOnly && !seemsToLook(method, url)) return new TahoeError('ERR_GATEWAY_READ_ONLY', {});
    const mustShowToken = this.#options.isPrivate && !this.hasToken(textOf(headers['authorization']));
    return mustShowToken ? new TahoeError('ERR_TOKEN', {}) : undefined;
  }

  /** Whether it holds the token. */
  hasToken(authorization: string | undefined): boolean {
    const [, scheme = '', value = ''] = /^([A-Za-z-]+) +(\S+)$/.exec(authorization ?? '') ?? [];
    const shown = scheme.toLowerCase() === 'basic' ? passwordIn(value) : value;
    if (scheme.toLowerCase() !== 'tahoe-lafs' && scheme.toLowerCase() !== 'basic') return false;
    // Of hashes, so that the time it takes tells nothing of the token.
    return equalBytes(this.#crypto.sha256(utf8(shown)), this.#crypto.sha256(utf8(this.#options.token)));
  }

  #isOurs({ hostname }: URL): boolean {
    return ADDRESS.test(hostname) || this.#hosts.has(hostname);
  }
}

/**
 * Looks again at a POST below a capability, at arguments of which some may have stood in its body, where a Guard sees nothing.
 * @throws ERR_GATEWAY_READ_ONLY
 */
export function requireLooking({ isReadOnly }: Pick<GuardOptions, 'isReadOnly'>, args: Arguments): void {
  if (!isReadOnly) return;
  const mayChange = args.flag('repair', false) || args.flag('add-lease', false);
  if (mayChange || !isLooking(args.operation)) throw new TahoeError('ERR_GATEWAY_READ_ONLY', {});
}

/** What a POST below a capability may ask of a read-only gateway, so long as it neither repairs nor renews leases. */
function isLooking(operation: string): boolean {
  return operation === 'check' || isWalk(operation);
}

/** Whether a request may be one that changes nothing, as far as its address tells. */
function seemsToLook(method: string, url: string): boolean {
  if (method !== 'POST') return READING.includes(method);
  const [path = '', query = ''] = url.split('?');
  if (STATUS_PAGES.test(path)) return true;
  return BELOW_CAPABILITY.test(path) && isLooking(new URLSearchParams(query).get('t') ?? '');
}

/** What a browser says of where a request comes from. It says nothing when it is none. */
function isFromHere(here: URL, headers: GuardedRequest['headers']): boolean {
  const site = textOf(headers['sec-fetch-site']);
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const origin = textOf(headers['origin']);
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === here.host);
}

function hostOf(text: string | undefined): URL | undefined {
  if (text === undefined || !HOST.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  return new URL(`http://${text}`);
}

function passwordIn(base64: string): string {
  const text = Buffer.from(base64, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}
