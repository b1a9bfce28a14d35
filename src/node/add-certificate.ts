/**
 * Gives a storage node a grid manager's certificate: NAME.cert in its directory, and two lines in its tahoe.cfg.
 * All other lines of that file stay as they are.
 */
import { TahoeError } from '#core/errors.js';
import { formatCertificate, parseCertificate } from '#wire/grid-certificate.js';
import { setOption } from './config/ini-edit.js';
import { parseIni } from './config/ini.js';
import { createFileOnce, replaceFile } from './durable-file.js';
import { identifyNodeType, NodeDirectory, PUBLIC_MODE } from './node-directory.js';

const SECTION = 'grid_manager_certificates';

/**
 * @param path - of the node directory, absolute.
 * @param text - the certificate as the grid manager's program printed it.
 * @returns how many certificates the node has now.
 * @throws ERR_NOT_A_NODE; ERR_CERTIFICATE when it is none; ERR_FILE when there is one of this name; ERR_USAGE when the
 *   name cannot be that of an option; ERR_CONFIG when tahoe.cfg cannot be read.
 */
export async function addCertificate(path: string, name: string, text: string): Promise<number> {
  await identifyNodeType(path);
  const directory = new NodeDirectory(path);
  const certificate = parseCertificate(text);
  const file = `${name}.cert`;
  if (/[/\\\0]/.test(name)) throw new TahoeError('ERR_USAGE', { reason: `'${name}' cannot be the name of a file` });
  const before = (await directory.read('tahoe.cfg')) ?? '';
  const managed = setOption(before, { section: 'storage', option: 'grid_management', value: 'True' });
  const config = setOption(managed, { section: SECTION, option: name, value: file });
  if (!(await createFileOnce(directory.file(file), `${formatCertificate(certificate)}\n`, PUBLIC_MODE))) {
    const reason = `there is a certificate '${name}' already; choose another name, or remove that file`;
    throw new TahoeError('ERR_FILE', { file: directory.file(file), reason });
  }
  await replaceFile(directory.file('tahoe.cfg'), `${config.trimEnd()}\n`, PUBLIC_MODE);
  return parseIni(config, 'tahoe.cfg').options(SECTION).length;
}
