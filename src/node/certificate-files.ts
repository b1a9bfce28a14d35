/**
 * The certificates that a storage node shows of itself: the files of [grid_manager_certificates].
 */
import { readFile } from 'node:fs/promises';
import { isTahoeError, TahoeError } from '#core/errors.js';
import { CERTIFICATE_COUNT_MAX, parseCertificate } from '#wire/grid-certificate.js';
import type { GridCertificate } from '#wire/grid-certificate.js';
import { fileError } from './durable-file.js';

/**
 * Reads them, in the order of their names.
 * @throws ERR_FILE when one is not there or is no certificate; ERR_TOO_MANY when clients would not look at all of them.
 */
export async function readCertificates(files: readonly string[]): Promise<readonly GridCertificate[]> {
  if (files.length > CERTIFICATE_COUNT_MAX) {
    throw new TahoeError('ERR_TOO_MANY', { what: 'certificates of grid managers', limit: CERTIFICATE_COUNT_MAX });
  }
  return Promise.all(files.map(readCertificate));
}

async function readCertificate(file: string): Promise<GridCertificate> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error);
  });
  try {
    return parseCertificate(text);
  } catch (cause) {
    const reason = isTahoeError(cause, 'ERR_CERTIFICATE') ? cause.facts.reason : 'it is no certificate';
    throw new TahoeError('ERR_FILE', { file, reason }, { cause });
  }
}
