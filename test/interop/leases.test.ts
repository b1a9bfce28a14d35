/**
 * The leases that either gateway leaves on either program's storage node: the container's version, the owner, the
 * secrets as they are stored, and when they end. The secrets are computed from the gateway's private/secret, and
 * hashed by another library than the product's.
 */
import { blake2b } from '@noble/hashes/blake2.js';
import t from 'tap';
import type { Test } from 'tap';
import { parseBase32 } from '#core/base32.js';
import { leaseSecrets } from '#core/lease.js';
import { crypto, seededBytes } from '#test/fixtures/crypto.js';
import type { GridNode } from '#test/fixtures/process-grid.js';
import { hasReference, ProcessGrid } from '#test/fixtures/process-grid.js';
import { putFile, renewLeases } from './gateway-talk.js';
import { readShares, storageIndexOfText } from './share-files.js';
import type { StoredLease } from './share-files.js';

const LEASE_DURATION_SECONDS = 31 * 24 * 3600;
/** What an upload may take. */
const TOLERANCE_SECONDS = 30;

t.test('leases', { skip: hasReference ? false : 'no reference', timeout: 120_000 }, async (t) => {
  const grid = await ProcessGrid.start({
    storage: ['ours', 'reference'],
    gateways: ['ours', 'reference'],
    encoding: { needed: 1, happy: 2, total: 2 },
    convergenceSecret: seededBytes('convergence', 32),
  });
  t.teardown(() => grid.stop());

  for (const gateway of grid.gateways) {
    const other = gateway.program === 'ours' ? grid.gateway('reference') : grid.gateway('ours');
    await t.test(`an upload by ${gateway.program}, then a lease by ${other.program}`, async (t) => {
      const content = seededBytes(gateway.program, 10_000);
      const capability = await putFile(gateway, content);
      const shares = await readShares(grid.storage, capability);
      t.strictSame(new Set(shares.map((share) => share.node.program)), new Set(['ours', 'reference']));
      for (const share of shares) {
        const where = `on a node of ${share.node.program}`;
        t.equal(share.version, 2, `a container of version 2 ${where}`);
        t.equal(share.dataLength, share.data.length, `its header has the length ${where}`);
        await checkLeases(t, { leases: share.leases, gateways: [gateway], node: share.node, capability });
      }
      await renewLeases(gateway, capability, content);
      for (const { leases } of await readShares(grid.storage, capability)) {
        t.equal(leases.length, 1, 'the same gateway renews its lease');
      }
      await renewLeases(other, capability, content);
      for (const { leases, node } of await readShares(grid.storage, capability)) {
        await checkLeases(t, { leases, gateways: [gateway, other], node, capability });
      }
    });
  }
});

/** There is one lease of each gateway, in this order, and no other. */
async function checkLeases(
  t: Test,
  found: {
    readonly leases: readonly StoredLease[];
    readonly gateways: readonly GridNode[];
    readonly node: GridNode;
    readonly capability: string;
  },
): Promise<void> {
  const { capability, gateways, leases, node } = found;
  t.equal(leases.length, gateways.length, `one lease of each gateway on a node of ${node.program}`);
  for (const [i, gateway] of gateways.entries()) {
    const what = `a lease of ${gateway.program} on a node of ${node.program}`;
    const lease = leases[i];
    if (lease === undefined) return void t.fail(`${what} is missing`);
    const tubId = parseBase32((await node.read('my_nodeid')).trim());
    const leaseSecret = parseBase32((await gateway.read('private/secret')).trim());
    const secrets = leaseSecrets(crypto, leaseSecret, storageIndexOfText(capability), tubId);
    t.ok(lease.renewSecret.equals(hashed(secrets.renewSecret)), `${what}: the renew secret, hashed`);
    t.ok(lease.cancelSecret.equals(hashed(secrets.cancelSecret)), `${what}: the cancel secret, hashed`);
    // 0 where it came with a reservation, as ours always does; the reference asks first, and adds 1 to what is there.
    t.equal(lease.owner, i === 0 || gateway.program === 'ours' ? 0 : 1, `${what}: its owner`);
    const ageSeconds = Date.now() / 1000 + LEASE_DURATION_SECONDS - lease.expiry;
    t.ok(ageSeconds >= 0 && ageSeconds <= TOLERANCE_SECONDS, `${what}: ${String(ageSeconds)} s old`);
  }
}

function hashed(secret: Uint8Array): Uint8Array {
  return blake2b(secret, { dkLen: 32 });
}
