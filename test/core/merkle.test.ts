/** Hash trees: the reference's, then the verifier against every kind of wrong node. */
import t from 'tap';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { concat, equalBytes, toHex } from '#core/bytes.js';
import { deriveMerkleNode } from '#core/derive.js';
import {
  buildMerkleTree,
  encodeMerkleTree,
  MerkleVerifier,
  NODE_SIZE,
  nodeCount,
  siblingNodes,
  verifyMerklePath,
} from '#core/merkle.js';
import { crypto } from '../fixtures/crypto.js';
import { readVectors } from '../fixtures/vectors.js';

interface Tree {
  readonly leafCount: number;
  readonly nodeCount: number;
  readonly root: string;
  readonly nodesSha256: string;
  readonly needed: number[][];
}
const { trees } = readVectors<{ trees: Tree[] }>('reference.json');

function leavesOf(count: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, i) =>
      new Uint8Array(
        createHash('sha256')
          .update(`leaf ${String(i)}`)
          .digest(),
      ),
  );
}

t.test('trees are the reference’s', async (t) => {
  for (const tree of trees) {
    const nodes = buildMerkleTree(crypto, leavesOf(tree.leafCount));
    t.equal(nodes.length, tree.nodeCount);
    t.equal(nodeCount(tree.leafCount), tree.nodeCount);
    t.equal(toHex(nodes[0] ?? new Uint8Array(0)), tree.root);
    t.equal(createHash('sha256').update(encodeMerkleTree(nodes)).digest('hex'), tree.nodesSha256);
    tree.needed.forEach((needed, leaf) => {
      t.same(
        siblingNodes(tree.leafCount, leaf).sort((a, b) => a - b),
        needed,
      );
    });
  }
});

t.test('a path proves its leaf and no other', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(), (count, pick, flip) => {
      const nodes = buildMerkleTree(crypto, leavesOf(count));
      const leaf = pick % count;
      const own = nodeCount(count) - (nodeCount(count) + 1) / 2 + leaf;
      const path = [...siblingNodes(count, leaf), own];
      const chain = new Map(path.map((index) => [index, nodes[index] ?? new Uint8Array(32)]));
      const tree = { leafCount: count, root: nodes[0] ?? new Uint8Array(32) };
      if (verifyMerklePath(crypto, tree, leaf, chain) === undefined) return false;
      const victim = path[flip % path.length] ?? 0;
      const damaged = (chain.get(victim) ?? new Uint8Array(32)).slice();
      damaged[flip % 32] = (damaged[flip % 32] ?? 0) ^ 1;
      if (verifyMerklePath(crypto, tree, leaf, new Map(chain).set(victim, damaged)) !== undefined) return false;
      const short = new Map(chain);
      short.delete(victim);
      return verifyMerklePath(crypto, tree, leaf, short) === undefined;
    }),
  );
});

/** A complete tree of any size whose leaves are all the same, so that it is quick to make. */
class UniformTree {
  readonly depth: number;
  readonly #levels: Uint8Array[] = [];

  constructor(depth: number) {
    this.depth = depth;
    this.#levels[depth] = new Uint8Array(32).fill(7);
    for (let level = depth - 1; level >= 0; level--) {
      const child = this.#levels[level + 1] ?? new Uint8Array(32);
      this.#levels[level] = deriveMerkleNode(crypto, child, child);
    }
  }

  node(index: number): Uint8Array {
    return this.#levels[Math.floor(Math.log2(index + 1))] ?? new Uint8Array(32);
  }

  run({ first, count }: { first: number; count: number }): { first: number; bytes: Uint8Array } {
    return { first, bytes: concat(...Array.from({ length: count }, (_, i) => this.node(first + i))) };
  }
}

t.test('the verifier proves leaves of large trees with few nodes, and forgets old ones', async (t) => {
  for (const depth of [0, 1, 5, 10, 11, 13, 20]) {
    const tree = new UniformTree(depth);
    const leafCount = 2 ** depth;
    const verifier = new MerkleVerifier(crypto, leafCount, tree.node(0));
    for (const leaf of [0, 1, leafCount >> 1, leafCount - 1, 300, 5000, 70_000, 0].map((leaf) => leaf % leafCount)) {
      const wanted = verifier.wanted(leaf);
      const bytes = wanted.reduce((sum, run) => sum + run.count * NODE_SIZE, 0);
      t.ok(bytes <= 65_536 + 10 * 8192 + 1024, `${String(bytes)} bytes at depth ${String(depth)}`);
      for (const run of wanted) t.ok(run.first + run.count <= nodeCount(leafCount));
      verifier.accept(
        leaf,
        wanted.map((run) => tree.run(run)),
      );
      t.ok(verifier.leafHash(leaf), `leaf ${String(leaf)} of depth ${String(depth)}`);
      t.same(verifier.wanted(leaf), []);
    }
  }
});

t.test('a changed node proves nothing below it and leaves the rest provable', async (t) => {
  const leaves = leavesOf(13);
  const nodes = buildMerkleTree(crypto, leaves);
  for (let victim = 1; victim < nodes.length; victim++) {
    const bytes = encodeMerkleTree(nodes).slice();
    bytes[victim * NODE_SIZE] = (bytes[victim * NODE_SIZE] ?? 0) ^ 0x80;
    const verifier = new MerkleVerifier(crypto, 13, nodes[0] ?? new Uint8Array(32));
    verifier.accept(0, [{ first: 0, bytes }]);
    leaves.forEach((hash, leaf) => {
      const proven = verifier.leafHash(leaf);
      t.ok(proven === undefined || equalBytes(proven, hash));
    });
    const unproven = leaves.filter((_, leaf) => verifier.leafHash(leaf) === undefined).length;
    t.ok(unproven > 0 || victim >= 15 + 13, `node ${String(victim)} mattered`);
    t.ok(unproven <= 13, 'and only for what lies below its parent');
  }
});

t.test('a leaf costs the hashes on its way, and each of them once', async (t) => {
  const leaves = leavesOf(1024);
  const nodes = buildMerkleTree(crypto, leaves);
  let hashCount = 0;
  const counting = {
    ...crypto,
    sha256: (bytes: Uint8Array) => {
      hashCount += 1;
      return crypto.sha256(bytes);
    },
  };
  const verifier = new MerkleVerifier(counting, leaves.length, nodes[0] ?? new Uint8Array(32));
  deriveMerkleNode(counting, new Uint8Array(32), new Uint8Array(32));
  const each = hashCount;
  const hashesFor = (leaf: number): number => {
    hashCount = 0;
    t.same(verifier.leafHash(leaf), leaves[leaf]);
    return hashCount / each;
  };
  verifier.accept(0, [{ first: 0, bytes: encodeMerkleTree(nodes) }]);
  t.strictSame([700, 700, 701, 703].map(hashesFor), [10, 0, 0, 1]);
});

t.test('cut and garbage runs are harmless', async (t) => {
  const nodes = buildMerkleTree(crypto, leavesOf(8));
  for (const size of [0, 31, 32, 64, 95, 200]) {
    const verifier = new MerkleVerifier(crypto, 8, nodes[0] ?? new Uint8Array(32));
    verifier.accept(3, [{ first: 0, bytes: encodeMerkleTree(nodes).subarray(0, size) }]);
    t.equal(verifier.leafHash(3), undefined);
  }
});

t.test('the whole tree is every node, and one that is changed is found', async (t) => {
  for (const leafCount of [1, 2, 3, 8, 13]) {
    const nodes = buildMerkleTree(crypto, leavesOf(leafCount));
    const isWhole = (bytes: Uint8Array): boolean => {
      const verifier = new MerkleVerifier(crypto, leafCount, nodes[0] ?? new Uint8Array(32));
      return [...verifier.wholeTree()].every(({ leaf, runs }) =>
        verifier.acceptWhole(
          leaf,
          runs.map(({ first, count }) => ({ first, bytes: bytes.slice(first * 32, (first + count) * 32) })),
        ),
      );
    };
    t.ok(isWhole(encodeMerkleTree(nodes)));
    for (let victim = 0; victim < nodes.length; victim++) {
      const bytes = encodeMerkleTree(nodes).slice();
      bytes[victim * NODE_SIZE + 31] = (bytes[victim * NODE_SIZE + 31] ?? 0) ^ 1;
      t.notOk(isWhole(bytes), `node ${String(victim)} of ${String(leafCount)} leaves`);
    }
  }
});

t.test('a tree that does not fit in memory is gone through in windows', async (t) => {
  const depth = 13;
  const tree = new UniformTree(depth);
  const seen = new Set<number>();
  const check = (changed: number | undefined): boolean => {
    const verifier = new MerkleVerifier(crypto, 2 ** depth, tree.node(0));
    let isWhole = true;
    for (const { leaf, runs } of verifier.wholeTree()) {
      const fetched = runs.map((run) => tree.run(run));
      for (const { first, bytes } of fetched) {
        for (let node = first; node < first + bytes.length / NODE_SIZE; node++) seen.add(node);
        const offset = ((changed ?? -1) - first) * NODE_SIZE;
        if (offset >= 0 && offset < bytes.length) bytes[offset] = (bytes[offset] ?? 0) ^ 1;
      }
      isWhole = verifier.acceptWhole(leaf, fetched) && isWhole;
    }
    return isWhole;
  };
  t.ok(check(undefined));
  t.equal(seen.size, 2 ** (depth + 1) - 1, 'every node was wanted');
  for (const node of [0, 1, 2046, 2047, 4094, 9000, 2 ** (depth + 1) - 2]) t.notOk(check(node), `node ${String(node)}`);
});

t.test('what one has given wrong, or not at all, another may give right', async (t) => {
  for (const leafCount of [2, 13]) {
    const nodes = buildMerkleTree(crypto, leavesOf(leafCount));
    for (let leaf = 0; leaf < leafCount; leaf++) {
      for (const wrong of [new Uint8Array(nodes.length * NODE_SIZE), new Uint8Array(0)]) {
        const verifier = new MerkleVerifier(crypto, leafCount, nodes[0] ?? new Uint8Array(32));
        verifier.accept(leaf, [{ first: 0, bytes: wrong }]);
        const again = verifier.wanted(leaf);
        t.same(again, [{ first: 0, count: nodes.length }]);
        verifier.accept(leaf, [{ first: 0, bytes: encodeMerkleTree(nodes) }]);
        t.ok(verifier.leafHash(leaf));
      }
    }
  }
});
