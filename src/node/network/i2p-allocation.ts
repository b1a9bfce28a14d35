/** Has an I2P router make the destination of a new node. Its address is the SHA-256 of the destination, in base32. */
import { createHash } from 'node:crypto';
import { formatBase32 } from '#core/base32.js';
import type { Clock } from '#core/environment.js';
import { TahoeError } from '#core/errors.js';
import { decodeI2pKey, parseI2pKey, samRequest } from '#wire/sam.js';
import { formatPlace, proxyPlace } from '../config/proxy-place.js';
import { HIDDEN_PORT } from './hidden-listener.js';
import type { HiddenListener } from './hidden-listener.js';
import { SamConnection } from './sam-connection.js';

const SAM_DEFAULT = 'tcp:127.0.0.1:7656';

/** What a destination is made with. */
export interface I2pAllocationOptions {
  /** As it was typed. */
  readonly samPort: string | undefined;
  readonly report: (line: string) => Promise<void>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** @throws ERR_USAGE when the SAM port is no place; ERR_PROXY when the router is not reached, or refuses; ERR_TIMEOUT. */
export async function allocateI2p(options: I2pAllocationOptions): Promise<HiddenListener> {
  const { clock, report, samPort = SAM_DEFAULT, signal } = options;
  const parsed = proxyPlace.parse(samPort);
  if ('problem' in parsed || parsed.value === undefined) {
    const reason = 'problem' in parsed ? parsed.problem : 'a place is expected';
    throw new TahoeError('ERR_USAGE', { reason: `--i2p-sam-port: ${reason}` });
  }
  await report('connecting to I2P (to allocate .i2p address)..');
  const router = await SamConnection.open({ place: parsed.value, clock, signal });
  try {
    await report('I2P connection established');
    await report('allocating .i2p address...');
    const made = await router.ask(samRequest.generate, 'DEST REPLY', signal);
    const destination = decodeI2pKey(parseI2pKey(made.options.get('PUB')));
    const dangerousText = parseI2pKey(made.options.get('PRIV'));
    await report('.i2p address allocated');
    const address = formatBase32(createHash('sha256').update(destination).digest());
    return {
      tubPort: 'listen:i2p',
      tubLocation: `i2p:${address}.b32.i2p:${String(HIDDEN_PORT)}`,
      section: {
        name: 'i2p',
        options: [
          ['sam.port', formatPlace(parsed.value)],
          ['dest', 'true'],
          ['dest.port', String(HIDDEN_PORT)],
          ['dest.private_key_file', 'private/i2p_dest.privkey'],
        ],
      },
      key: { name: 'i2p_dest.privkey', dangerousText },
    };
  } finally {
    router.close();
  }
}
