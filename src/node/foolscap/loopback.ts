/** A Tub that calls itself: two brokers, each of which receives what the other sends. */
import { join } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { Broker } from '#wire/foolscap/broker.js';
import type { ConnectionOptions } from './connection.js';

/** @returns the end that calls what is registered, and what ends both. */
export function connectToItself(tubId: string, options: ConnectionOptions['broker']): [Broker, () => void] {
  const ends: Broker[] = [];
  const end = (): void => {
    const facts = { server: tubId.slice(0, 8), what: 'any call', keptAlive: false, replyBegun: false };
    for (const broker of ends) broker.end(new TahoeError('ERR_CONNECTION_CLOSED', facts));
  };
  const make = (other: number): Broker =>
    new Broker({
      ...options,
      tubId,
      remoteAddress: undefined,
      vocabularyTable: 1,
      mayPong: () => true,
      room: () => Promise.resolve(),
      activeChanged: () => undefined,
      send: (parts) => {
        const bytes = join(parts);
        setImmediate(() => {
          try {
            for (let taken = 0; taken < bytes.length;) taken += ends[other]?.receive(bytes.subarray(taken)) ?? Infinity;
          } catch {
            end();
          }
        });
      },
    });
  const calling = make(1);
  ends.push(calling, make(0));
  return [calling, end];
}
