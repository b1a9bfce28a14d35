/** Deep checks and repairs of a tree of every kind, with the checks that the product has. */
import t from 'tap';
import { verifyCapabilityOf } from '#core/capability/attenuate.js';
import { literalCapability } from '#core/capability/types.js';
import { check, checkOfNodes, repair, repairOfNodes } from '#client/check/check.js';
import { DeepCheckCounter, DeepRepairCounter } from '#client/traversal/check-counts.js';
import type { CheckVerdict, RepairVerdict } from '#client/traversal/check-counts.js';
import { deepCheck } from '#client/traversal/deep-check.js';
import type { DeepCheckOptions } from '#client/traversal/deep-check.js';
import { walk } from '#client/traversal/walk.js';
import { crypto } from '../../fixtures/crypto.js';
import { createTree } from '../../fixtures/file-tree.js';
import type { TreeGrid } from '../../fixtures/file-tree.js';

const signal = new AbortController().signal;

/** Everything below the root with what was found, by path. */
async function deep<Report>(
  { context, root }: TreeGrid,
  each: DeepCheckOptions<Report>['check'],
): Promise<Map<string, Report | undefined>> {
  const reports = new Map<string, Report | undefined>();
  for await (const step of deepCheck(walk(context, root), { crypto, check: each, parallel: 4 })) {
    if (step.kind === 'unchecked' || step.kind === 'unreadable') throw step.error;
    if (step.kind === 'checked') reports.set(step.node.path.join('/'), step.report);
  }
  return reports;
}

function counted(reports: ReadonlyMap<string, CheckVerdict | undefined>) {
  const counter = new DeepCheckCounter();
  for (const report of reports.values()) if (report !== undefined) counter.add(report);
  return counter.counts();
}

const OBJECTS = 6;
const allHealthy = {
  'count-objects-checked': OBJECTS,
  'count-objects-healthy': OBJECTS,
  'count-objects-unhealthy': 0,
  'count-objects-unrecoverable': 0,
  'count-corrupt-shares': 0,
};

t.test('a tree of every kind: checked, damaged, repaired, checked again', async (t) => {
  const tree = await createTree();
  const { context, grid } = tree;
  const verifying = checkOfNodes(context, { verify: true });
  const first = await deep(tree, verifying);
  t.same(
    [...first.keys()].sort(),
    ['', 'below', 'below/fixed', 'below/fixed/inner', 'below/mutable', 'again', 'literal', 'future'].sort(),
  );
  t.same(counted(first), allHealthy);
  t.equal(first.get('literal'), undefined);

  const [lost, spoilt] = grid.servers;
  if (!lost || !spoilt) throw new RangeError('ten servers');
  lost.loseDisk();
  for (const share of spoilt.shares.values()) share[60] = (share[60] ?? 0) ^ 1;
  t.match(counted(await deep(tree, verifying)), {
    'count-objects-healthy': 0,
    'count-objects-unhealthy': OBJECTS,
    'count-corrupt-shares': 3,
  });
  const counter = new DeepRepairCounter();
  const repairs = await deep<RepairVerdict>(tree, repairOfNodes(context, { verify: true }));
  for (const report of repairs.values()) if (report !== undefined) counter.add(report);
  t.match(counter.counts(), {
    'count-objects-checked': OBJECTS,
    'count-objects-unhealthy-pre-repair': OBJECTS,
    'count-objects-healthy-post-repair': OBJECTS,
    'count-repairs-attempted': OBJECTS,
    'count-repairs-successful': OBJECTS,
    'count-corrupt-shares-pre-repair': 3,
  });
  t.match(counted(await deep(tree, checkOfNodes(context, {}))), allHealthy);
});

t.test('any capability is checked and repaired by its kind', async (t) => {
  const { context, root } = await createTree();
  t.match(await check(context, root, { signal }), { kind: 'shares', healthy: true, needsMerge: false });
  const verify = verifyCapabilityOf(crypto, root);
  if (verify === undefined) throw new RangeError('a directory with shares');
  t.match(await check(context, verify, { signal, verify: true }), { healthy: true });
  t.match(await repair(context, verify, { signal }), { repairAttempted: false, before: { healthy: true } });
  const literal = literalCapability(new Uint8Array(3));
  t.same(await check(context, literal, { signal }), { kind: 'literal', healthy: true });
  t.same(await repair(context, { kind: 'directory', file: literal }, { signal }), { kind: 'literal', healthy: true });
});
