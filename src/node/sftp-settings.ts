/** The settings of the SFTP server. */
import { parseEndpoint } from './config/endpoint-text.js';
import type { Endpoint } from './config/endpoint-text.js';
import type { Configuration } from './config/configuration.js';
import type { Option } from './config/option.js';
import { options } from './config/schema.js';

/** Where SFTP is served, and with what. Paths are absolute. */
export interface SftpSettings {
  readonly endpoint: Endpoint;
  readonly accountsFile: string;
  readonly publicKeyFile: string;
  readonly privateKeyFile: string;
}

/**
 * undefined where SFTP is not served.
 * @param resolve - makes a path absolute.
 * @throws ERR_CONFIG for an option that is missing or wrong.
 */
export function readSftp(configuration: Configuration, resolve: (path: string) => string): SftpSettings | undefined {
  const { sftpAccounts, sftpEnabled, sftpPort, sftpPrivateKey, sftpPublicKey } = options;
  if (!configuration.get(sftpEnabled)) return undefined;
  const file = (option: Option<string | undefined>): string => {
    const path = configuration.get(option);
    if (path === undefined) throw configuration.error(option, 'SFTP is enabled, and this names no file');
    return resolve(path);
  };
  const endpoint = parseEndpoint(configuration.get(sftpPort));
  if ('problem' in endpoint) throw configuration.error(sftpPort, endpoint.problem);
  return {
    endpoint: endpoint.value,
    accountsFile: file(sftpAccounts),
    publicKeyFile: file(sftpPublicKey),
    privateKeyFile: file(sftpPrivateKey),
  };
}
