/**
 * The SSH half: who connects, proves a key and opens a session gets SFTP on it and nothing else. Public keys are the
 * only way in. Signatures with SHA-1 are refused.
 */
import type { Socket } from 'node:net';
import ssh2 from 'ssh2';
import type { AuthContext, Connection, ParsedKey, ServerChannel, Session } from 'ssh2';
import type { Log } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { accountError } from './accounts.js';
import type { Account } from './accounts.js';
import { serveChannel } from './channel-loop.js';
import { UserShare } from './handles.js';
import { PendingFiles } from './pending-files.js';
import type { SftpServices } from './services.js';
import { SftpSession } from './session.js';
import { spaceOf, spaceTable } from './space.js';
import { UserFiles } from './user-files.js';
import type { WrittenFile } from './written-file.js';

/** How long a connection may take to log in. */
const LOGIN_TIMEOUT_MS = 60_000;
/** How often it may try. */
const LOGIN_ATTEMPTS_MAX = 10;
/** How many connections one user may have. */
const CONNECTIONS_PER_USER_MAX = 32;
/** How many sessions a connection may have at a time. */
const SESSIONS_PER_CONNECTION_MAX = 10;

const SPACE_COMMAND = 'df -P -k /';
const ONLY_SFTP =
  'This server speaks SFTP alone: no SCP, no shell, and no commands but the one that sshfs needs.\r\n' +
  'With scp, leave out the option -O.\r\n';

/** What the server is made of. */
export interface SshServerOptions {
  readonly services: SftpServices;
  readonly accounts: ReadonlyMap<string, Account>;
  /** The accounts file, for messages. */
  readonly accountsFile: string;
  /** The host's private key, as OpenSSH or PEM. Secret. */
  readonly hostKey: string;
}

interface User extends Account {
  readonly key: ParsedKey;
  readonly share: UserShare;
  connectionCount: number;
}

/** Serves SFTP on sockets that it is handed. */
export class SshServer {
  readonly #services: SftpServices;
  readonly #log: Log;
  readonly #users: ReadonlyMap<string, User>;
  readonly #server: ssh2.Server;
  readonly #pending = new PendingFiles<WrittenFile>();
  readonly #closed = new AbortController();
  readonly #sockets = new Set<Socket>();
  /** Timers of those who have said nothing yet, by their address. */
  readonly #silent = new Map<string, () => void>();

  /** @throws ERR_CONFIG for a key of the accounts file that is none. */
  constructor({ accounts, accountsFile, hostKey, services }: SshServerOptions) {
    this.#services = services;
    this.#log = services.log;
    this.#users = new Map([...accounts].map(([name, account]) => [name, userOf(account, accountsFile)]));
    this.#server = new ssh2.Server({ hostKeys: [hostKey], ident: 'tallac' }, (connection, { ip, port }) => {
      this.#silent.get(addressOf(ip, port))?.();
      this.#accept(connection);
    });
  }

  /** Serves a connection. */
  handle(socket: Socket): void {
    this.#sockets.add(socket);
    const address = addressOf(socket.remoteAddress, socket.remotePort);
    const cancelTimer = this.#services.clock.schedule(LOGIN_TIMEOUT_MS, () => {
      socket.destroy();
    });
    this.#silent.set(address, cancelTimer);
    socket.once('close', () => {
      cancelTimer();
      this.#sockets.delete(socket);
      if (this.#silent.get(address) === cancelTimer) this.#silent.delete(address);
    });
    socket.on('error', () => undefined); // the connection says it too
    this.#server.injectSocket(socket);
  }

  /** Ends every connection, and what is being stored. */
  close(): void {
    this.#closed.abort();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(connection: Connection): void {
    let user: User | undefined;
    let attempts = 0;
    const cancelTimer = this.#services.clock.schedule(LOGIN_TIMEOUT_MS, () => {
      connection.end();
    });
    connection.once('close', cancelTimer);
    connection.on('error', (error) => {
      this.#log.debug('SFTP connection failed', { reason: reasonOf(error) });
    });
    connection.on('authentication', (context) => {
      if (++attempts > LOGIN_ATTEMPTS_MAX) connection.end();
      else user = this.#authenticate(context);
    });
    connection.once('ready', () => {
      cancelTimer();
      if (user === undefined) connection.end();
      else this.#welcome(connection, user);
    });
  }

  /** @returns who has proven the key, or asks whether to. */
  #authenticate(context: AuthContext): User | undefined {
    const user = this.#users.get(context.username);
    if (context.method === 'publickey' && user !== undefined && isKeyOf(context, user)) {
      // It is told of in the next step of the connection, when the caller knows the user.
      queueMicrotask(() => {
        context.accept();
      });
      return user;
    }
    if (context.method === 'publickey') this.#log.info('SFTP login refused', {});
    context.reject(['publickey']);
    return undefined;
  }

  #welcome(connection: Connection, user: User): void {
    if (user.connectionCount >= CONNECTIONS_PER_USER_MAX) {
      this.#log.warn('SFTP user has too many connections', { user: user.name, limit: CONNECTIONS_PER_USER_MAX });
      connection.end();
      return;
    }
    user.connectionCount++;
    this.#log.info('SFTP user logged in', { user: user.name });
    let sessionCount = 0;
    connection.once('close', () => {
      user.connectionCount--;
    });
    connection.on('session', (accept, reject) => {
      if (sessionCount >= SESSIONS_PER_CONNECTION_MAX) {
        reject();
        return;
      }
      sessionCount++;
      const session = accept();
      session.once('close', () => {
        sessionCount--;
      });
      this.#serve(session, user, connection);
    });
  }

  #serve(session: Session, user: User, connection: Connection): void {
    session.on('pty', (accept) => {
      accept();
    });
    session.on('shell', (accept) => {
      refuse(accept());
    });
    session.on('exec', (accept, _reject, { command }) => {
      const channel = accept();
      if (command === SPACE_COMMAND) tell(channel, spaceTable(spaceOf(this.#services.freeBytes())));
      else refuse(channel);
    });
    session.on('subsystem', (accept, reject, { name }) => {
      if (name === 'sftp') void this.#serveSftp(accept(), user, connection);
      else reject();
    });
  }

  async #serveSftp(channel: ServerChannel, user: User, connection: Connection): Promise<void> {
    const files = new UserFiles({
      services: this.#services,
      user,
      pending: this.#pending,
      lasting: this.#closed.signal,
    });
    const session = new SftpSession({ clock: this.#services.clock, files, share: user.share });
    connection.once('close', () => {
      channel.emit('close');
    });
    await serveChannel(channel, session, this.#log);
    if (!channel.writable) return;
    channel.exit(0);
    channel.end();
  }
}

function addressOf(host: string | undefined, port: number | undefined): string {
  return `${host ?? ''} ${String(port)}`;
}

function userOf(account: Account, file: string): User {
  const key = parseKey(account.publicKey);
  if (key === undefined) throw accountError(file, account.line, 'the public key is damaged; copy it whole');
  return { ...account, key, share: new UserShare(), connectionCount: 0 };
}

/** A key as text, public or private; undefined when it is none that can be used. */
export function parseKey(text: string): ParsedKey | undefined {
  const parsed: ParsedKey | ParsedKey[] | Error = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) return undefined;
  return Array.isArray(parsed) ? (parsed as ParsedKey[])[0] : parsed;
}

function isKeyOf(context: Extract<AuthContext, { method: 'publickey' }>, { key }: User): boolean {
  if (key.type !== context.key.algo || !key.getPublicSSH().equals(context.key.data)) return false;
  if (context.signature === undefined) return true; // it asks whether it may sign with this key
  if (context.blob === undefined || (key.type === 'ssh-rsa' && context.hashAlgo === undefined)) return false;
  const isVerified: unknown = key.verify(context.blob, context.signature, context.hashAlgo); // or an error
  return isVerified === true;
}

function tell(channel: ServerChannel, text: string): void {
  channel.write(text);
  channel.exit(0);
  channel.end();
}

function refuse(channel: ServerChannel): void {
  channel.stderr.write(ONLY_SFTP);
  channel.exit(1);
  channel.end();
}
