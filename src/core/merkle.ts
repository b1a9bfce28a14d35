/**
 * Merkle hash trees: made by the writer of a share, checked piece by piece by its reader.
 *
 * The leaves are filled up to a power of two P with empty-leaf hashes. The 2·P−1 nodes lie in one array,
 * breadth first: the root at 0, the children of i at 2·i+1 and 2·i+2, leaf j at P−1+j. On disk a tree is all
 * its nodes, 32 bytes each, in this order. No leaves at all make a tree of one node, the empty leaf 0.
 *
 * A reader trusts the root and nothing else: `MerkleVerifier` says which runs of nodes it wants for a leaf and
 * believes a pair of children only when it hashes to a parent already believed. It holds at most a fixed number
 * of nodes, whatever the size of the tree.
 * @see Tahoe-LAFS docs/specifications/file-encoding.rst, "Hashes"; RFC 6962 has the same idea
 */
import { concat, equalBytes } from './bytes.js';
import type { BulkCrypto } from './crypto.js';
import { deriveEmptyLeaf, deriveMerkleNode } from './derive.js';

/** The length of a node, in bytes. */
export const NODE_SIZE = 32;
/** The levels below the root that are read in one run: 2047 nodes, 64 KiB. */
const TOP_LEVELS = 10;
/** The leaves whose nodes are read together below the top. */
const WINDOW_LEAVES = 256;
/** How many windows of nodes a verifier keeps. */
const WINDOWS_MAX = 4;

/** How many leaves a tree over `leafCount` has when filled up: the next power of two, at least 1. */
export function paddedLeafCount(leafCount: number): number {
  return leafCount <= 1 ? 1 : 2 ** Math.ceil(Math.log2(leafCount));
}

/** How many nodes a tree over `leafCount` leaves has. */
export function nodeCount(leafCount: number): number {
  return 2 * paddedLeafCount(leafCount) - 1;
}

/** All nodes of the tree over `leaves` (32 bytes each), root first. */
export function buildMerkleTree(crypto: BulkCrypto, leaves: readonly Uint8Array[]): Uint8Array[] {
  const padded = paddedLeafCount(leaves.length);
  const nodes = new Array<Uint8Array>(2 * padded - 1);
  for (let leaf = 0; leaf < padded; leaf++) nodes[padded - 1 + leaf] = leaves[leaf] ?? deriveEmptyLeaf(crypto, leaf);
  for (let node = padded - 2; node >= 0; node--) {
    nodes[node] = deriveMerkleNode(crypto, at(nodes, 2 * node + 1), at(nodes, 2 * node + 2));
  }
  return nodes;
}

/** The bytes of a tree as a share holds them. */
export function encodeMerkleTree(nodes: readonly Uint8Array[]): Uint8Array {
  return concat(...nodes);
}

/** The nodes that prove leaf `leaf` to someone who has the root and the leaf: the siblings up to the root. */
export function siblingNodes(leafCount: number, leaf: number): number[] {
  const siblings: number[] = [];
  for (let node = paddedLeafCount(leafCount) - 1 + leaf; node > 0; node = parentOf(node))
    siblings.push(siblingOf(node));
  return siblings;
}

/**
 * Whether `nodes` (by index, the leaf's own node included) prove leaf `leaf` under `root`.
 * @returns the leaf's hash, or undefined when a node is missing or the path leads to another root.
 */
export function verifyMerklePath(
  crypto: BulkCrypto,
  tree: { readonly leafCount: number; readonly root: Uint8Array },
  leaf: number,
  nodes: ReadonlyMap<number, Uint8Array>,
): Uint8Array | undefined {
  let node = paddedLeafCount(tree.leafCount) - 1 + leaf;
  const leafHash = nodes.get(node);
  let hash = leafHash;
  while (hash !== undefined && node > 0) {
    const sibling = nodes.get(siblingOf(node));
    if (sibling === undefined) return undefined;
    hash = isLeft(node) ? deriveMerkleNode(crypto, hash, sibling) : deriveMerkleNode(crypto, sibling, hash);
    node = parentOf(node);
  }
  return hash !== undefined && equalBytes(hash, tree.root) ? leafHash : undefined;
}

/** A run of neighbouring nodes: `count` of them from index `first`. */
export interface NodeRun {
  readonly first: number;
  readonly count: number;
}

/** Checks the leaves of one tree against its root, from runs of nodes that somebody untrusted hands in. */
export class MerkleVerifier {
  readonly #crypto: BulkCrypto;
  readonly #depth: number;
  readonly #leafBase: number;
  readonly #root: Uint8Array;
  /** What of it is trusted. */
  readonly #top: Map<number, Uint8Array>;
  /** All of it, as somebody gave it. */
  #topNodes: Uint8Array = new Uint8Array(0);
  readonly #windows = new Map<number, Map<number, Uint8Array>>();
  #topSeen = false;

  /** @param root - 32 bytes, trusted. */
  constructor(crypto: BulkCrypto, leafCount: number, root: Uint8Array) {
    this.#crypto = crypto;
    this.#leafBase = paddedLeafCount(leafCount) - 1;
    this.#depth = Math.log2(this.#leafBase + 1);
    this.#root = root;
    this.#top = new Map([[0, root]]);
  }

  /** The trusted hash of leaf `leaf`, or undefined while it is not proven. */
  leafHash(leaf: number): Uint8Array | undefined {
    const node = this.#leafBase + leaf;
    return this.#believed(node) ?? this.#windows.get(windowOf(leaf))?.get(node);
  }

  /** The runs to fetch before `leaf` can be proven; none when it is proven already. */
  wanted(leaf: number): NodeRun[] {
    return this.leafHash(leaf) === undefined ? this.#runsTo(leaf, !this.#topSeen) : [];
  }

  /** Every node of the tree, in the order in which it can be believed: what to fetch and accept for one leaf after the other. */
  *wholeTree(): Generator<{ readonly leaf: number; readonly runs: readonly NodeRun[] }> {
    const step = this.#depth <= TOP_LEVELS ? this.#leafBase + 1 : WINDOW_LEAVES;
    for (let leaf = 0; leaf <= this.#leafBase; leaf += step) yield { leaf, runs: this.#runsTo(leaf, leaf === 0) };
  }

  /**
   * Takes what `wanted(leaf)` asked for. Below the top, nodes that do not hash to a trusted parent are dropped; of the top
   * each is looked at when it is needed.
   * @param runs - for each wanted run its bytes, 32 a node.
   * @returns whether every node below the top was believed.
   */
  accept(leaf: number, runs: readonly { readonly first: number; readonly bytes: Uint8Array }[]): boolean {
    let isWhole = true;
    for (const { first, bytes } of runs) {
      if (first > 0) isWhole = this.#acceptPairs(this.#window(windowOf(leaf)), first, bytes) && isWhole;
      else this.#takeTop(bytes.slice(0, this.#topCount * NODE_SIZE));
    }
    return isWhole;
  }

  /** Takes what `wholeTree` asked for. @returns whether every node was believed. */
  acceptWhole(leaf: number, runs: readonly { readonly first: number; readonly bytes: Uint8Array }[]): boolean {
    const isBottomRight = this.accept(leaf, runs);
    return isBottomRight && (runs.every(({ first }) => first > 0) || this.#isTopRight());
  }

  get #topCount(): number {
    return 2 ** (Math.min(this.#depth, TOP_LEVELS) + 1) - 1;
  }

  #runsTo(leaf: number, withTop: boolean): NodeRun[] {
    const runs = withTop ? [{ first: 0, count: this.#topCount }] : [];
    for (let level = TOP_LEVELS + 1; level <= this.#depth; level++) runs.push(this.#runOnLevel(level, leaf));
    return runs;
  }

  #runOnLevel(level: number, leaf: number): NodeRun {
    const leavesPerNode = 2 ** (this.#depth - level);
    const firstLeaf = windowOf(leaf) * WINDOW_LEAVES;
    const first = 2 * Math.floor(firstLeaf / leavesPerNode / 2);
    const last = Math.floor((firstLeaf + WINDOW_LEAVES - 1) / leavesPerNode);
    return { first: 2 ** level - 1 + first, count: Math.max(2, last + 1 - first) };
  }

  #takeTop(nodes: Uint8Array): void {
    this.#topNodes = nodes;
    this.#topSeen = nodes.length === this.#topCount * NODE_SIZE;
  }

  #isTopRight(): boolean {
    if (!this.#topSeen || !equalBytes(this.#topNodes.subarray(0, NODE_SIZE), this.#root)) return false;
    for (let node = 1; node < this.#topCount; node++) if (this.#believed(node) === undefined) return false;
    return true;
  }

  /** A node of the top that is trusted, or now proves to be right. */
  #believed(node: number): Uint8Array | undefined {
    const known = this.#top.get(node);
    if (known !== undefined || node >= this.#topCount) return known;
    const left = isLeft(node) ? node : node - 1;
    const pair = this.#topNodes.subarray(left * NODE_SIZE, (left + 2) * NODE_SIZE);
    const parent = this.#believed(parentOf(node));
    if (parent === undefined || pair.length < 2 * NODE_SIZE) return undefined;
    // What is wrong of it is wanted again, perhaps from somebody else.
    if (!this.#acceptPair(this.#top, parent, left, pair)) this.#topSeen = false;
    return this.#top.get(node);
  }

  #acceptPairs(window: Map<number, Uint8Array>, first: number, bytes: Uint8Array): boolean {
    let isWhole = true;
    const end = first + Math.floor(bytes.length / NODE_SIZE);
    for (let left = first; left + 1 < end; left += 2) {
      const parent = this.#believed(parentOf(left)) ?? window.get(parentOf(left));
      const pair = bytes.slice((left - first) * NODE_SIZE, (left - first + 2) * NODE_SIZE);
      if (parent === undefined || !this.#acceptPair(window, parent, left, pair)) isWhole = false;
    }
    return isWhole;
  }

  /** @returns whether the nodes `left` and `left` + 1 belong to their parent. */
  #acceptPair(trusted: Map<number, Uint8Array>, parent: Uint8Array, left: number, pair: Uint8Array): boolean {
    const [leftHash, rightHash] = [pair.subarray(0, NODE_SIZE), pair.subarray(NODE_SIZE)];
    if (!equalBytes(parent, deriveMerkleNode(this.#crypto, leftHash, rightHash))) return false;
    trusted.set(left, leftHash).set(left + 1, rightHash);
    return true;
  }

  #window(number: number): Map<number, Uint8Array> {
    const window = this.#windows.get(number) ?? new Map<number, Uint8Array>();
    this.#windows.delete(number);
    this.#windows.set(number, window);
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size <= WINDOWS_MAX) break;
      this.#windows.delete(oldest);
    }
    return window;
  }
}

function windowOf(leaf: number): number {
  return Math.floor(leaf / WINDOW_LEAVES);
}

function isLeft(node: number): boolean {
  return node % 2 === 1;
}

function siblingOf(node: number): number {
  return isLeft(node) ? node + 1 : node - 1;
}

function parentOf(node: number): number {
  return Math.floor((node - 1) / 2);
}

function at(nodes: readonly Uint8Array[], index: number): Uint8Array {
  const node = nodes[index];
  if (node === undefined) throw new RangeError(`the tree has no node ${String(index)}`);
  return node;
}
