/** Which connection goes when there are too many. */
import fc from 'fast-check';
import t from 'tap';
import { ConnectionTable } from '#storage/connection-table.js';
import type { Peer } from '#storage/connection-table.js';

/** A connection that knows whether it was closed, and counts itself out when it is. */
class FakePeer implements Peer {
  readonly remoteAddress: string;
  readonly remotePort: number;
  destroyed = false;
  closed: () => void = () => undefined;

  constructor(remotePort: number, remoteAddress = '192.0.2.1') {
    this.remotePort = remotePort;
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.closed();
  }
}

function open(table: ConnectionTable, port: number, address?: string): FakePeer {
  const peer = new FakePeer(port, address);
  peer.closed = table.opened(peer);
  return peer;
}

const portsLeft = (peers: readonly FakePeer[]): number[] =>
  peers.filter(({ destroyed }) => !destroyed).map(({ remotePort }) => remotePort);

t.test('the oldest without the swissnum makes room', async (t) => {
  const table = new ConnectionTable({ connections: 3 });
  const peers = [1, 2, 3].map((port) => open(table, port));
  table.admitted(peers[0] as FakePeer);
  peers.push(open(table, 4));
  t.strictSame(portsLeft(peers), [1, 3, 4], 'the first is known, so the second goes');
  t.strictSame(table.counts, { open: 3, strangers: 2, handshakes: 3, evicted: 1 });
});

t.test('where all are known the newcomer goes', async (t) => {
  const table = new ConnectionTable({ connections: 2 });
  const peers = [1, 2].map((port) => open(table, port));
  for (const peer of peers) table.admitted(peer);
  peers.push(open(table, 3));
  t.strictSame(portsLeft(peers), [1, 2]);
});

t.test('an address fills its own share only, and those it shows the swissnum on do not count', async (t) => {
  const table = new ConnectionTable({ strangersPerAddress: 2 });
  const crowd = [1, 2, 3, 4].map((port) => open(table, port));
  t.strictSame(portsLeft(crowd), [3, 4]);
  const other = open(table, 1, '192.0.2.2');
  table.admitted(crowd[2] as FakePeer);
  crowd.push(open(table, 5));
  t.strictSame(portsLeft(crowd), [3, 4, 5]);
  t.equal(other.destroyed, false);
});

t.test('handshakes under way have a limit of their own, and end with the handshake', async (t) => {
  const table = new ConnectionTable({ handshakes: 2 });
  const peers = [1, 2].map((port) => open(table, port));
  const secure = new FakePeer(1);
  table.secured(secure);
  peers.push(open(table, 3));
  t.strictSame(portsLeft(peers), [1, 2, 3]);
  peers.push(open(table, 4));
  t.strictSame(portsLeft(peers), [1, 3, 4], 'the oldest of those that have not finished');
  t.equal(secure.destroyed, false);
});

t.test('what is evicted after its handshake is the TLS connection', async (t) => {
  const table = new ConnectionTable({ connections: 1 });
  const raw = open(table, 1);
  const secure = new FakePeer(1);
  table.secured(secure);
  open(table, 2);
  t.strictSame([raw.destroyed, secure.destroyed], [false, true]);
});

t.test('a port that comes again is a new connection', async (t) => {
  const table = new ConnectionTable({ connections: 2 });
  const first = open(table, 1);
  const again = open(table, 1);
  first.destroy();
  t.equal(again.destroyed, false);
  t.equal(table.counts.open, 1);
  again.destroy();
  t.strictSame(table.counts, { open: 0, strangers: 0, handshakes: 0, evicted: 0 });
});

t.test('whatever comes and goes, the limits hold and nothing is left behind', async (t) => {
  const step = fc.record({
    what: fc.constantFrom('open', 'secured', 'admitted', 'close'),
    port: fc.nat(30),
    address: fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'),
  });
  const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const table = new ConnectionTable({ connections: 8, strangersPerAddress: 5, handshakes: 3 });
    const peers = new Map<string, FakePeer>();
    for (const { address, port, what } of steps) {
      const key = `${address} ${String(port)}`;
      const peer = peers.get(key);
      if (what === 'open' && (peer === undefined || peer.destroyed)) peers.set(key, open(table, port, address));
      else if (peer === undefined || peer.destroyed) continue;
      else if (what === 'close') peer.destroy();
      else if (what !== 'open') table[what](peer);
      const left = [...peers.values()].filter(({ destroyed }) => !destroyed);
      const { open: count, handshakes } = table.counts;
      if (count !== left.length || count > 8 || handshakes > 3) return false;
    }
    for (const peer of peers.values()) if (!peer.destroyed) peer.destroy();
    return table.counts.open + table.counts.strangers + table.counts.handshakes === 0;
  });
  t.doesNotThrow(() => {
    fc.assert(property);
  });
});
