/**
 * Every way Tallac can fail, in one table.
 *
 * There is one error class with a stable `code`, typed `facts` and a `cause`. The catalogue gives each code
 * its family and its sentence: what is wrong, where, and what to do. Storage statuses, gateway statuses and
 * exit codes are three tables elsewhere that read only `code` and `family`. "Not there" and "not mine" are
 * values, never errors, below the gateway. A message never holds a secret: facts carry names, numbers and
 * storage indexes, not capabilities, swissnums or lease secrets.
 */
import { entry } from './error-entry.js';
import type { CatalogueEntry, ErrorFamily } from './error-entry.js';
import { helperErrors } from './helper-errors.js';

export type { ErrorFamily } from './error-entry.js';

const catalogue = {
  // malformed: the bytes or the text are not what they claim to be
  ERR_BASE32: entry<{ reason: string }>('malformed', (f) => `this is not base32: ${f.reason}`),
  ERR_NETSTRING: entry<{ reason: string }>('malformed', (f) => `this is not a netstring: ${f.reason}`),
  ERR_TRUNCATED: entry<{ wanted: number; left: number }>(
    'malformed',
    (f) => `the data ends too early: ${String(f.wanted)} bytes are wanted, ${String(f.left)} are left`,
  ),
  ERR_CAPABILITY: entry<{ reason: string }>(
    'malformed',
    (f) => `the capability is not valid: ${f.reason}; copy the whole string again, from URI: to its end`,
  ),
  ERR_NURL: entry<{ reason: string }>('malformed', (f) => `the server address (NURL) is not valid: ${f.reason}`),
  ERR_CBOR: entry<{ reason: string }>('malformed', (f) => `the message is not valid CBOR: ${f.reason}`),
  ERR_MESSAGE: entry<{ what: string; reason: string }>('malformed', (f) => `the ${f.what} is not valid: ${f.reason}`),
  ERR_HEADER: entry<{ header: string; reason: string }>(
    'malformed',
    (f) => `the header ${f.header} is not valid: ${f.reason}`,
  ),
  ERR_CONTENT_RANGE: entry<{ reason: string }>(
    'malformed',
    (f) => `Content-Range is not usable: ${f.reason}; send "bytes FIRST-LAST/*"`,
  ),
  ERR_RANGE: entry<{ reason: string }>('malformed', (f) => `Range is not usable: ${f.reason}; send "bytes=FIRST-LAST"`),
  ERR_MEDIA_TYPE: entry<{ expected: string }>('malformed', (f) => `the body must be ${f.expected}`),
  ERR_NOT_ACCEPTABLE: entry<{ offered: string }>(
    'malformed',
    (f) => `the reply would be ${f.offered}, which the Accept header does not allow`,
  ),
  ERR_BODY_LENGTH: entry<{ expected: number; received: number }>(
    'malformed',
    (f) => `the body does not fill its range: ${String(f.expected)} bytes announced, ${String(f.received)} received`,
  ),
  ERR_CONFIG: entry<{ file: string; reason: string }>('malformed', (f) => `${f.file}: ${f.reason}`),
  ERR_CONFIG_UNKNOWN: entry<{ file: string; section: string; option?: string; nearest?: string }>('malformed', (f) => {
    const hint = f.nearest === undefined ? '' : `; did you mean '${f.nearest}'?`;
    return f.option === undefined
      ? `'${f.file}' contains unknown section [${f.section}]${hint}`
      : `'${f.file}' section [${f.section}] contains unknown option '${f.option}'${hint}`;
  }),
  ERR_YAML: entry<{ file: string; reason: string }>('malformed', (f) => `${f.file}: ${f.reason}`),
  ERR_ENCODING: entry<{ needed: number; total: number }>(
    'malformed',
    (f) => `cannot encode ${String(f.needed)}-of-${String(f.total)}: 1 <= needed <= total <= 256 must hold`,
  ),
  ERR_RSA_KEY: entry<{ reason: string }>('malformed', (f) => `this is no usable RSA key of 2048 bits: ${f.reason}`),
  ERR_JSON: entry<{ reason: string }>('malformed', (f) => `this is not the JSON of metadata: ${f.reason}`),
  ERR_CHILD_NAME: entry<{ reason: string }>('malformed', (f) => `this cannot be a name in a directory: ${f.reason}`),
  ERR_CHILD_CAPABILITY: entry<{ name: string; reason: string }>(
    'malformed',
    (f) => `the capability for ${JSON.stringify(f.name)} cannot be linked: ${f.reason}`,
  ),
  ERR_FURL: entry<{ reason: string }>('malformed', (f) => `the Foolscap address (FURL) is not valid: ${f.reason}`),
  ERR_BANANA: entry<{ reason: string }>(
    'malformed',
    (f) => `the peer does not speak Foolscap as it should: ${f.reason}`,
  ),
  ERR_VIOLATION: entry<{ reason: string }>('malformed', (f) => `this cannot be an argument or a result: ${f.reason}`),

  // integrity: well-formed, but not what was once written
  ERR_HASH: entry<{ what: string }>('integrity', (f) => `${f.what} does not match its hash`),
  ERR_UEB: entry<{ reason: string }>('integrity', (f) => `the URI extension block is not usable: ${f.reason}`),
  ERR_SHARE_LAYOUT: entry<{ reason: string }>('integrity', (f) => `the share's layout is not usable: ${f.reason}`),
  ERR_CONTAINER: entry<{ reason: string }>('integrity', (f) => `the share file is damaged: ${f.reason}`),
  ERR_ERASURE: entry<{ reason: string }>('integrity', (f) => `the blocks cannot be decoded: ${f.reason}`),
  ERR_WASM: entry<{ reason: string }>('integrity', (f) => `the WASM core failed its self-test: ${f.reason}`),

  ERR_INDEX: entry<{ reason: string }>(
    'integrity',
    (f) => `the index of the shares cannot be used: ${f.reason}; it is made anew from the shares`,
  ),
  ERR_SIGNATURE: entry<Record<string, never>>('integrity', () => 'the signature of a mutable share is not valid'),
  ERR_ROLLED_BACK: entry<{ storageIndex: string; sequenceNumber: number; highest: number }>(
    'integrity',
    (f) =>
      `the servers give only version ${String(f.sequenceNumber)} of ${f.storageIndex}, and this node has seen version ` +
      `${String(f.highest)}: they have lost the newer one or withhold it; try again when more servers are connected`,
  ),
  ERR_DIRECTORY: entry<{ reason: string }>(
    'integrity',
    (f) => `the contents of the directory are not usable: ${f.reason}; whoever writes to it can write it anew`,
  ),
  ERR_ANNOUNCEMENT: entry<{ reason: string }>('integrity', (f) => `the announcement is refused: ${f.reason}`),
  ERR_CERTIFICATE: entry<{ reason: string }>(
    'integrity',
    (f) => `the grid manager's certificate is not usable: ${f.reason}; have the grid manager sign a new one`,
  ),
  ERR_SERVER_LIST: entry<{ list: string; reason: string }>(
    'integrity',
    (f) => `the server list of ${f.list} is refused: ${f.reason}`,
  ),

  // authority: the wrong key, or none
  ERR_PIN: entry<{ server: string }>(
    'authority',
    (f) => `server ${f.server} does not hold the key its address names; nothing was sent to it`,
  ),
  ERR_SWISSNUM: entry<Record<string, never>>('authority', () => 'Wrong Authorization header'),
  ERR_UPLOAD_SECRET: entry<Record<string, never>>('authority', () => 'this upload belongs to another upload secret'),

  ERR_WRITE_ENABLER: entry<{ nodeId: string }>(
    'authority',
    (f) => `this is not the write enabler of these shares. The write enabler was recorded by nodeid '${f.nodeId}'.`,
  ),
  ERR_AUTHORITY: entry<{ what: string; needed: 'write' | 'read'; held: string }>(
    'authority',
    (f) => `${f.what} takes a ${f.needed} capability, and this is a ${f.held} capability`,
  ),
  ERR_HOST: entry<Record<string, never>>(
    'authority',
    () =>
      'this gateway is not asked by that name; use its address or localhost, or add the name to [gateway]hosts in tallac.cfg',
  ),
  ERR_CROSS_SITE: entry<Record<string, never>>(
    'authority',
    () => 'a page of another site may not have a browser change anything here',
  ),
  ERR_TOKEN: entry<Record<string, never>>(
    'authority',
    () => 'this gateway is private: send "Authorization: tahoe-lafs TOKEN" with the token in private/api_auth_token',
  ),
  ERR_GATEWAY_READ_ONLY: entry<Record<string, never>>(
    'authority',
    () => 'this gateway only reads; its owner can change that with [gateway]read_only in tallac.cfg',
  ),
  ERR_PROHIBITED: entry<{ reason: string }>('authority', (f) => `Access Prohibited: ${f.reason}`),
  ERR_DIRECTORY_READ_ONLY: entry<Record<string, never>>(
    'authority',
    () => 'this directory cannot be changed through a capability that only reads it; use its write capability',
  ),

  // missing: it was looked for and is not there
  ERR_NO_SHARES: entry<{ storageIndex: string; needed: number; detail: string }>(
    'missing',
    (f) =>
      `no share of ${f.storageIndex} was found (${String(f.needed)} are needed): ${f.detail}; are the servers that hold them connected?`,
  ),
  ERR_NOT_ENOUGH_SHARES: entry<{ storageIndex: string; needed: number; found: number; detail: string }>(
    'missing',
    (f) =>
      `only ${String(f.found)} good shares of ${f.storageIndex} were found and ${String(f.needed)} are needed: ${f.detail}`,
  ),
  ERR_NO_SUCH_SHARE: entry<Record<string, never>>('missing', () => 'there is no such share here'),
  ERR_NO_SUCH_UPLOAD: entry<Record<string, never>>('missing', () => 'there is no such upload in progress'),
  ERR_NO_SUCH_PATH: entry<Record<string, never>>('missing', () => 'there is nothing at this path'),
  ERR_METHOD: entry<{ allowed: string }>('missing', (f) => `this path answers only to ${f.allowed}`),
  ERR_NOT_FOUND: entry<{ reason: string }>('missing', (f) => f.reason),
  ERR_NO_SUCH_CHILD: entry<{ name: string }>('missing', (f) => `No such child: ${f.name}`),

  // conflict: something else is already there
  ERR_CONFLICTING_WRITE: entry<{ offset: number }>(
    'conflict',
    (f) => `other bytes were already written at offset ${String(f.offset)} of this share`,
  ),
  ERR_SHARE_KIND: entry<{ shareNumber: number }>(
    'conflict',
    (f) => `share ${String(f.shareNumber)} is taken here by what is no mutable share; use another storage index`,
  ),
  ERR_SHARE_COMPLETE: entry<Record<string, never>>('conflict', () => 'this share is already complete'),
  ERR_ALREADY_RUNNING: entry<{ directory: string; pid: number }>(
    'conflict',
    (f) => `the node in '${f.directory}' is already running as process ${String(f.pid)}; stop it first`,
  ),
  ERR_PORT_IN_USE: entry<{ endpoint: string; option: string }>(
    'conflict',
    (f) => `cannot listen on ${f.endpoint}: another program uses that port; stop it or change ${f.option} in tahoe.cfg`,
  ),
  ERR_DIRECTORY_NOT_EMPTY: entry<{ directory: string }>(
    'conflict',
    (f) => `the directory '${f.directory}' is not empty; name a new or an empty one`,
  ),
  ERR_VOLUME_FOREIGN: entry<{ directory: string; objection: string; nodeDirectory: string }>(
    'conflict',
    (f) =>
      `'${f.directory}' is not the store of this node: ${f.objection}. Mount the right volume there; or, if this is to ` +
      `be its store from now on, say so with: tallac storage adopt '${f.nodeDirectory}'`,
  ),
  ERR_VOLUME_IN_USE: entry<{ directory: string; owner: string }>(
    'conflict',
    (f) => `the store in '${f.directory}' is in use by ${f.owner}; stop it first: two nodes on one store lose shares`,
  ),
  ERR_UNCOORDINATED_WRITE: entry<{ storageIndex: string; detail: string }>(
    'conflict',
    (f) =>
      `somebody else wrote ${f.storageIndex} at the same time (${f.detail}); read it again to see what came of it, and ` +
      `then make the change anew`,
  ),
  ERR_REPAIR_REFUSED: entry<{ storageIndex: string; reason: string }>(
    'conflict',
    (f) =>
      `${f.storageIndex} was not repaired, for that would lose what somebody wrote: ${f.reason}; try again when more ` +
      `servers are connected, or write the contents anew that are to stay`,
  ),
  ERR_BEYOND_END: entry<{ offset: number; sizeBytes: number }>(
    'malformed',
    (f) => `nothing can be written at offset ${String(f.offset)} of a file that ends at ${String(f.sizeBytes)}`,
  ),
  ERR_CHILD_EXISTS: entry<{ name: string; existing: 'file' | 'directory' | 'unknown' }>(
    'conflict',
    (f) =>
      `there is already a child by the name ${JSON.stringify(f.name)} (${f.existing}), and it was not to be replaced`,
  ),
  ERR_CHILD_TYPE: entry<{ name: string; expected: 'file' | 'directory' }>(
    'conflict',
    (f) => `${JSON.stringify(f.name)} is no ${f.expected}, and only a ${f.expected} was to be removed`,
  ),

  ERR_FILE_IN_THE_WAY: entry<{ name: string }>(
    'conflict',
    (f) => `Unable to create directory ${JSON.stringify(f.name)}: a file was in the way`,
  ),

  // limit: more than this side is willing or able to hold
  ERR_TOO_LARGE: entry<{ what: string; limitBytes: number }>(
    'limit',
    (f) => `the ${f.what} is larger than the limit of ${String(f.limitBytes)} bytes`,
  ),
  ERR_BEYOND_ALLOCATION: entry<{ allocatedSize: number }>(
    'limit',
    (f) => `the write ends beyond the ${String(f.allocatedSize)} bytes that were allocated`,
  ),
  ERR_NO_SPACE: entry<{ where: string }>('limit', (f) => `no space is left for ${f.where}; free some and try again`),
  ERR_TOO_MANY: entry<{ what: string; limit: number }>(
    'limit',
    (f) => `there are too many ${f.what} already: the limit is ${String(f.limit)}`,
  ),

  // unavailable: it may work later or elsewhere
  ERR_CONNECT: entry<{ server: string; reason: string }>(
    'unavailable',
    (f) => `cannot reach server ${f.server}: ${f.reason}`,
  ),
  ERR_CONNECTION_CLOSED: entry<{ server: string; what: string; keptAlive: boolean; replyBegun: boolean }>(
    'unavailable',
    (f) =>
      `server ${f.server} closed the connection ${f.replyBegun ? 'in the middle of its' : 'before any'} answer to ${f.what}`,
  ),
  ERR_TIMEOUT: entry<{ what: string; timeoutMs: number }>(
    'unavailable',
    (f) => `${f.what} gave no answer within ${String(f.timeoutMs / 1000)} s`,
  ),
  ERR_CANCELLED: entry<{ what: string }>('unavailable', (f) => `${f.what} was cancelled`),
  ERR_SERVER_REPLY: entry<{ server: string; what: string; reason: string }>(
    'unavailable',
    (f) => `server ${f.server} gave no usable answer to ${f.what}: ${f.reason}`,
  ),
  ERR_NEGOTIATION: entry<{ reason: string }>(
    'unavailable',
    (f) => `no Foolscap connection could be agreed on: ${f.reason}`,
  ),
  ERR_REMOTE: entry<{ method: string; type: string; message: string }>(
    'unavailable',
    (f) => `the peer's ${f.method} failed with ${f.type}: ${f.message}`,
  ),
  ERR_NO_SERVERS: entry<{ reason: string }>(
    'unavailable',
    (f) => `no storage server can be used: ${f.reason}; list servers in private/servers.yaml`,
  ),
  ERR_NOT_CERTIFIED: entry<{ connected: number }>(
    'unavailable',
    (f) =>
      `nothing was stored: only servers that a grid manager of [grid_managers] has certified may get new shares, and none of ` +
      `the ${String(f.connected)} connected servers has a valid certificate; ask the grid manager to sign them`,
  ),
  ERR_UNHAPPY: entry<{ happy: number; reached: number; needed: number; total: number; detail: string }>(
    'unavailable',
    (f) =>
      `the file was not stored: shares could be spread over only ${String(f.reached)} servers and shares.happy asks ` +
      `for ${String(f.happy)} (encoding ${String(f.needed)}-of-${String(f.total)}): ${f.detail}`,
  ),
  ERR_STORE_READONLY: entry<{ reason: string }>('unavailable', (f) => `this store takes no writes: ${f.reason}`),
  ERR_BUSY: entry<{ what: string; limit: number }>(
    'unavailable',
    (f) => `all ${String(f.limit)} ${f.what} of this server are taken; try again later`,
  ),
  ERR_DISK: entry<{ what: string; reason: string }>('unavailable', (f) => `${f.what} failed: ${f.reason}`),
  ERR_STORE_GONE: entry<Record<string, never>>(
    'unavailable',
    () => 'the storage directory is not there: its volume is gone; its operator can mount it and start the node again',
  ),
  ERR_VOLUME: entry<{ directory: string; what: string; reason: string }>(
    'unavailable',
    (f) => `the volume at '${f.directory}' cannot hold a store, for it cannot ${f.what}: ${f.reason}`,
  ),
  ERR_GATEWAY: entry<{ address: string; reason: string }>(
    'unavailable',
    (f) => `cannot reach the gateway at ${f.address}: ${f.reason}; is the node running? (tallac run)`,
  ),
  ERR_GATEWAY_REPLY: entry<{ status: number; reason: string }>(
    'unavailable',
    (f) => `the gateway answered ${String(f.status)}: ${f.reason}`,
  ),
  ERR_GATEWAY_CUT: entry<{ address: string; received: number; expected: number | undefined }>(
    'unavailable',
    (f) =>
      `the gateway at ${f.address} broke off after ${String(f.received)} of ` +
      `${f.expected === undefined ? 'an unknown number of' : String(f.expected)} bytes; its log says why`,
  ),

  // usage: the person at the keyboard can mend it
  ERR_USAGE: entry<{ reason: string }>('usage', (f) => f.reason),
  ERR_SFTP: entry<{ status: string; reason: string }>('usage', (f) => f.reason),
  ERR_NOT_SUPPORTED: entry<{ reason: string }>('usage', (f) => f.reason),
  ERR_NOT_A_DIRECTORY: entry<{ what: string; reason: string }>(
    'usage',
    (f) => `${f.what} cannot be opened as a directory: ${f.reason}`,
  ),
  ERR_NOT_A_NODE: entry<{ directory: string; reason: string }>(
    'usage',
    (f) => `'${f.directory}' is not a node directory: ${f.reason}; make one with tallac create-node`,
  ),
  ERR_FILE: entry<{ file: string; reason: string }>('usage', (f) => `cannot use '${f.file}': ${f.reason}`),
  ERR_LISTEN: entry<{ endpoint: string; option: string; reason: string }>(
    'usage',
    (f) => `cannot listen on ${f.endpoint}: ${f.reason}; change ${f.option} in tahoe.cfg`,
  ),
  ERR_NOT_STARTED: entry<{ directory: string; reason: string; log: string }>(
    'unavailable',
    (f) => `the node in '${f.directory}' did not start: ${f.reason}; '${f.log}' has all that it said`,
  ),
  ERR_RELAY: entry<{ relay: string; reason: string }>(
    'unavailable',
    (f) => `the mailbox server ${f.relay} cannot be used: ${f.reason}; choose another with --wormhole-server`,
  ),
  ERR_WRONG_CODE: entry<{ relay: string }>(
    'authority',
    (f) => `the other side, met at ${f.relay}, does not have the same code: it was mistyped, or guessed; invite anew`,
  ),
  ERR_INVITATION: entry<{ reason: string }>('malformed', (f) => `the invitation cannot be used: ${f.reason}`),
  ...helperErrors,
  ERR_PRIVACY: entry<{ network: string; reason: string }>('usage', (f) => `no way over ${f.network}: ${f.reason}`),
  ERR_PROXY: entry<{ proxy: string; reason: string }>('unavailable', (f) => `${f.proxy} cannot be used: ${f.reason}`),
  ERR_DEMO: entry<{ reason: string }>('unavailable', (f) => `the demonstration failed: ${f.reason}`),
} as const;

/** The stable name of a failure; programs may depend on it. */
export type ErrorCode = keyof typeof catalogue;

/** What a failure of this code says about itself. */
export type ErrorFacts<Code extends ErrorCode> = Parameters<(typeof catalogue)[Code]['sentence']>[0];

/** All codes, in the catalogue's order. */
export const errorCodes = Object.keys(catalogue) as readonly ErrorCode[];

function sentenceOf<Code extends ErrorCode>(code: Code, facts: ErrorFacts<Code>): string {
  const { sentence } = catalogue[code] as unknown as CatalogueEntry<ErrorFacts<Code>>;
  return sentence(facts);
}

/** What all copies of the class have in common: a bundle has one of its own. */
const MARK = Symbol.for('tallac.error');

/** The one error class: `code` for programs, `message` for people, `facts` for both. */
export class TahoeError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly [MARK] = true;
  readonly code: Code;
  readonly facts: ErrorFacts<Code>;

  constructor(code: Code, facts: ErrorFacts<Code>, options?: { cause?: unknown }) {
    super(sentenceOf(code, facts), options);
    this.name = 'TahoeError';
    this.code = code;
    this.facts = facts;
  }

  get family(): ErrorFamily {
    return catalogue[this.code].family;
  }
}

/** Whether `error` is a TahoeError, and if codes are given, one of those. */
export function isTahoeError<Code extends ErrorCode>(error: unknown, ...codes: Code[]): error is TahoeError<Code> {
  if (!(error instanceof Error && MARK in error)) return false;
  return codes.length === 0 || codes.includes((error as TahoeError<Code>).code);
}

/** A short text for any thrown value: the message of an error, else its string form. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.message === '') return error.errors.map(reasonOf).join('; ');
  return error.message;
}
