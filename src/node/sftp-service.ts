/**
 * The SFTP server of a node: reads its keys and accounts, and puts it on its port. Loaded only where SFTP is served.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { TahoeError } from '#core/errors.js';
import { parseAccounts } from '#sftp/accounts.js';
import type { SftpServices } from '#sftp/services.js';
import { parseKey, SshServer } from '#sftp/ssh-server.js';
import type { Closers } from './closers.js';
import { fileError } from './durable-file.js';
import { listen } from './endpoint.js';
import type { SftpSettings } from './sftp-settings.js';

/** What the server is started with. */
export interface SftpServiceOptions {
  readonly settings: SftpSettings;
  readonly services: SftpServices;
  readonly connectionsMax: number;
  readonly closers: Closers;
}

/**
 * Starts the server; `closers` ends it.
 * @returns its port.
 * @throws ERR_FILE, ERR_CONFIG for a file that is wrong, ERR_PORT_IN_USE, ERR_LISTEN.
 */
export async function startSftp(options: SftpServiceOptions): Promise<number> {
  const { closers, connectionsMax, services, settings } = options;
  const { accountsFile } = settings;
  const accounts = parseAccounts(await readText(accountsFile), accountsFile);
  const server = new SshServer({ services, accounts, accountsFile, hostKey: await readHostKey(settings) });
  const listener = createServer({ noDelay: true }, (socket) => {
    server.handle(socket);
  });
  const { port } = await listen(listener, settings.endpoint, { option: '[sftpd]port', connectionsMax });
  closers.add('the SFTP server', async () => {
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    server.close();
    await closed;
  });
  services.log.info('SFTP listens', { port, accounts: accounts.size });
  return port;
}

/** @throws ERR_CONFIG when a file holds no such key, or the two belong to different ones. */
async function readHostKey({ privateKeyFile, publicKeyFile }: SftpSettings): Promise<string> {
  const text = await readText(privateKeyFile);
  const privateKey = parseKey(text);
  if (privateKey === undefined || !privateKey.isPrivateKey()) {
    const reason = 'this is no private key without a passphrase; make one with ssh-keygen -t ed25519 -N ""';
    throw new TahoeError('ERR_CONFIG', { file: privateKeyFile, reason });
  }
  const publicKey = parseKey(await readText(publicKeyFile));
  if (publicKey === undefined || !publicKey.getPublicSSH().equals(privateKey.getPublicSSH())) {
    throw new TahoeError('ERR_CONFIG', {
      file: publicKeyFile,
      reason: `it is not the public half of ${privateKeyFile}`,
    });
  }
  return text;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw fileError(path, error);
  }
}
