/** The options of [sftpd]: the SFTP server, its keys and its accounts. */
import type { Option, ValueKind } from './option.js';
import { boolean, optionalText, text } from './values.js';

interface Details<Value> {
  readonly name: string;
  readonly kind: ValueKind<Value>;
  readonly fallback: NoInfer<Value>;
  readonly says: string;
}

function option<Value>(details: Details<Value>): Option<Value> {
  const { fallback } = details;
  const shown = fallback === undefined ? '' : String(fallback);
  return { file: 'tahoe.cfg', section: 'sftpd', effect: 'now', shown, ...details };
}

/** A file of the node directory, or anywhere. */
function file(name: string, says: string): Option<string | undefined> {
  return option({ name, kind: optionalText, fallback: undefined, says });
}

/** The options by the names the code calls them. */
export const sftpOptions = {
  sftpEnabled: option({
    name: 'enabled',
    kind: boolean,
    fallback: false,
    says: 'Whether files are served over SFTP. Takes both host keys and an accounts file.',
  }),
  sftpPort: option({
    name: 'port',
    kind: text,
    fallback: 'tcp:8022',
    says: 'Where the SFTP server listens: tcp:PORT[:interface=ADDRESS].',
  }),
  sftpAccounts: file(
    'accounts.file',
    'Who may log in, with which key, to which directory; one line each: NAME KEYTYPE BASE64 ROOTCAP.',
  ),
  sftpPublicKey: file('host_pubkey_file', 'The public half of the host key, as ssh-keygen writes it.'),
  sftpPrivateKey: file(
    'host_privkey_file',
    'The private half of the host key, without a passphrase: ssh-keygen -t ed25519 -N "" -f private/ssh_host_ed25519_key.',
  ),
};
