/**
 * What is wrong with a node, and what to do: looked up in its directory, at its ports and, where it runs, in what it
 * says of its grid. It changes nothing.
 */
import { stat } from 'node:fs/promises';
import type { Clock } from '#core/environment.js';
import { reasonOf } from '#core/errors.js';
import { readCertificate } from '#wire/grid-certificate.js';
import { formatTubId, parseCertificatePem } from './certificate.js';
import { readCertificates } from './certificate-files.js';
import { compareClocks } from './clock-comparison.js';
import type { Endpoint } from './config/endpoint-text.js';
import { parseEndpoint } from './config/endpoint-text.js';
import { loadConfiguration } from './config/load.js';
import type { EnvironmentVariables } from './config/load.js';
import { options } from './config/schema.js';
import { adviseEncoding } from './encoding-advice.js';
import type { EncodingCounts } from './encoding-advice.js';
import { parseFurl } from './furl.js';
import type { GridReport } from './grid-report.js';
import { loadIntroducers } from './introducers-file.js';
import { identifyNodeType, NodeDirectory } from './node-directory.js';
import { readIntroducerSettings } from './introducer-settings.js';
import { connectToOwn } from './network/direct-dialler.js';
import { readSettings } from './settings.js';
import type { NodeSettings } from './settings.js';

/** How long a port may take to answer, in milliseconds. */
const PORT_TIMEOUT_MS = 2_000;
/** A certificate that ends sooner than this is worth a word. */
const SOON_MS = 14 * 86_400_000;
/** No node of ours was made before 2025. */
const EARLIEST_MS = Date.UTC(2025, 0, 1);

/** One thing that was looked at. */
export interface Finding {
  readonly level: 'ok' | 'note' | 'problem';
  /** Such as `the certificate`. */
  readonly what: string;
  /** What is so, and, where it is not well, what to do. */
  readonly sentence: string;
}

/** Whom to examine. */
export interface Examination {
  /** Absolute path of the node directory. */
  readonly directory: string;
  readonly environment: EnvironmentVariables;
  readonly clock: Clock;
  /** What the running node says of its grid; undefined when it does not run, or has no gateway. */
  readonly report: GridReport | undefined;
}

/** Looks at everything. @throws ERR_NOT_A_NODE. */
export async function examineNode(examination: Examination): Promise<readonly Finding[]> {
  const { clock, directory: path, environment, report } = examination;
  const nodeType = await identifyNodeType(path);
  const directory = new NodeDirectory(path);
  const findings = [await examineClock(directory, clock), await examineIdentity(directory)];
  let encoding: EncodingCounts | undefined;
  try {
    const configuration = await loadConfiguration(path, nodeType, environment);
    if (nodeType === 'introducer') readIntroducerSettings(configuration);
    const settings = nodeType === 'introducer' ? undefined : readSettings(configuration, path);
    encoding = settings?.encoding;
    findings.push({ level: 'ok', what: 'the configuration', sentence: 'it can be read' });
    for (const sentence of settings?.warnings ?? [])
      findings.push({ level: 'note', what: 'the configuration', sentence });
    if (nodeType === 'introducer' || settings?.storage !== undefined) {
      const text = configuration.isSet(options.tubPort)
        ? configuration.get(options.tubPort)
        : await directory.read('client.port');
      findings.push(...(await examinePorts(text ?? '')));
    }
    if (settings !== undefined) findings.push(...(await examineSettings(directory, settings, clock)));
  } catch (error) {
    findings.push({ level: 'problem', what: 'the configuration', sentence: reasonOf(error) });
  }
  if (report === undefined) return findings;
  const advice = encoding === undefined ? [] : examineEncoding(encoding, report);
  return [...findings, ...examineGrid(report, clock.nowMs()), ...advice];
}

async function examineClock(directory: NodeDirectory, clock: Clock): Promise<Finding> {
  const what = 'the clock';
  const nowMs = clock.nowMs();
  const newest = await stat(directory.privateFile('')).catch(() => undefined);
  const now = new Date(nowMs).toISOString();
  if (nowMs < EARLIEST_MS || (newest !== undefined && newest.mtimeMs > nowMs + 60_000)) {
    return {
      level: 'problem',
      what,
      sentence: `it says ${now}, which is too early; set it, or certificates and lists look wrong`,
    };
  }
  return { level: 'ok', what, sentence: `it says ${now}` };
}

/** The certificate of the node, and whether its furls belong to it. */
async function examineIdentity(directory: NodeDirectory): Promise<Finding> {
  const what = 'the certificate';
  const problem = (sentence: string): Finding => ({ level: 'problem', what, sentence });
  try {
    const pem = await directory.read('private/node.pem');
    if (pem === undefined) return { level: 'note', what, sentence: 'there is none yet; it is made at the first start' };
    const tubId = formatTubId(parseCertificatePem(pem, directory.privateFile('node.pem')).tubId);
    for (const name of ['storage.furl', 'introducer.furl']) {
      const text = await directory.read(`private/${name}`);
      if (text !== undefined && parseFurl(text)?.tubId !== tubId) {
        return problem(
          `private/${name} belongs to another certificate than private/node.pem; put the two back together`,
        );
      }
    }
    return { level: 'ok', what, sentence: `its tub id is ${tubId}` };
  } catch (error) {
    return problem(reasonOf(error));
  }
}

async function examinePorts(text: string): Promise<Finding[]> {
  const endpoints = text.split(',').map((part) => parseEndpoint(part.trim()));
  return Promise.all(endpoints.flatMap((parsed) => ('value' in parsed ? [examinePort(parsed.value)] : [])));
}

async function examinePort(endpoint: Endpoint): Promise<Finding> {
  const what = `port ${String(endpoint.port)}`;
  const isOpen = await answers(endpoint);
  return isOpen
    ? { level: 'ok', what, sentence: 'something listens there' }
    : { level: 'note', what, sentence: 'nothing listens there; if the node runs, look into its log' };
}

async function answers({ host, port }: Endpoint): Promise<boolean> {
  const target = host === '0.0.0.0' || host === '' ? '127.0.0.1' : host === '::' ? '::1' : host;
  try {
    const socket = await connectToOwn({ host: target, port }, AbortSignal.timeout(PORT_TIMEOUT_MS));
    socket.destroy();
    return true;
  } catch {
    return false;
  }
}

async function examineSettings(directory: NodeDirectory, settings: NodeSettings, clock: Clock): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { storage } = settings;
  if (storage !== undefined) {
    const isThere = await stat(storage.directory).then(
      () => true,
      () => false,
    );
    const sentence = isThere
      ? `it is in '${storage.directory}'`
      : `'${storage.directory}' is not there; it is made at the first start`;
    findings.push({ level: isThere ? 'ok' : 'note', what: 'the store', sentence });
    findings.push(...(await examineCertificates(storage.certificateFiles, clock.nowMs())));
  }
  const introducers = await loadIntroducers(directory, settings.introducer);
  const servers = (await directory.read('private/servers.yaml')) ?? '';
  if (introducers.length + settings.serverLists.length === 0 && servers === '' && storage === undefined) {
    const sentence = 'it is told of no server: name an introducer, a server list, or servers in private/servers.yaml';
    findings.push({ level: 'problem', what: 'the grid', sentence });
  }
  return findings;
}

async function examineCertificates(files: readonly string[], nowMs: number): Promise<Finding[]> {
  const certificates = await readCertificates(files);
  return certificates.map(({ certificate }, i) => {
    const what = `the grid manager's certificate '${files[i] ?? ''}'`;
    const expiresMs = readCertificate(certificate)?.expiresMs ?? 0;
    const until = new Date(expiresMs).toISOString();
    if (expiresMs <= nowMs)
      return { level: 'problem', what, sentence: `it ended ${until}; have the grid manager sign a new one` };
    const level = expiresMs < nowMs + SOON_MS ? 'note' : 'ok';
    return { level, what, sentence: `it ends ${until}` };
  });
}

/** Of the running node. */
function examineGrid({ introducers, lists, servers }: GridReport, nowMs: number): Finding[] {
  const findings: Finding[] = [];
  for (const { connected, connectionStatus, dialect, name } of introducers) {
    const level = connected ? 'ok' : 'problem';
    findings.push({ level, what: `introducer ${name}`, sentence: `${connectionStatus} (${dialect})` });
  }
  for (const { isExpired, name, problem } of lists) {
    const sentence = isExpired
      ? 'it has expired; have the grid manager publish a new one'
      : (problem ?? 'it is current');
    findings.push({
      level: isExpired ? 'problem' : problem === undefined ? 'ok' : 'note',
      what: `server list ${name}`,
      sentence,
    });
  }
  const connected = servers.filter((server) => server.connected);
  const isWell = connected.length === servers.length && servers.length > 0;
  const counts = `${String(connected.length)} of ${String(servers.length)} are connected`;
  const sentence = connected.length > 0 ? counts : `${counts}; 'tallac grid servers' says why`;
  findings.push({
    level: isWell ? 'ok' : connected.length > 0 ? 'note' : 'problem',
    what: 'storage servers',
    sentence,
  });
  findings.push(...peersByDialect(servers), ...compareClocks(servers));
  const soon = servers.filter(
    ({ certificateExpiryMs }) => certificateExpiryMs !== null && certificateExpiryMs < nowMs + SOON_MS,
  );
  for (const { certificateExpiryMs, serverId } of soon) {
    const until = new Date(certificateExpiryMs ?? 0).toISOString();
    findings.push({
      level: 'note',
      what: `server ${serverId.slice(0, 11)}`,
      sentence: `its certificate ends ${until}`,
    });
  }
  return findings;
}

/** Whether new files are encoded so that they fit the servers. */
function examineEncoding(encoding: EncodingCounts, { servers }: GridReport): Finding[] {
  const connected = servers.filter((server) => server.connected).length;
  const advice = adviseEncoding(encoding, { known: servers.length, connected });
  return advice.map(({ level, sentence }) => ({ level, what: 'the encoding', sentence }));
}

/** Who speaks what, by version: when nobody speaks Foolscap alone any more, it can be turned off. */
function peersByDialect(servers: GridReport['servers']): Finding[] {
  const counts = new Map<string, number>();
  for (const { dialect, version } of servers) {
    const peers = `${dialect === 'none' ? 'no usable address' : dialect}, ${version ?? 'version unknown'}`;
    counts.set(peers, (counts.get(peers) ?? 0) + 1);
  }
  const list = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([peers, count]) => `${String(count)} × ${peers}`);
  if (list.length === 0) return [];
  const needed = servers.filter(({ dialect, upgraded }) => dialect === 'foolscap' || upgraded).length;
  const end = needed > 0 ? `; ${String(needed)} still need Foolscap` : '; none needs Foolscap';
  return [{ level: 'ok', what: 'peers', sentence: `${list.join('; ')}${end}` }];
}
