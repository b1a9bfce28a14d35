/** The limits that cap the tail: files of 400 lines, functions of 70, names that say what is inside. */
import t from 'tap';
import ts from 'typescript';
import { basename } from 'node:path';
import { productSources, readSources } from './sources.js';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const everything = [...productSources, ...readSources('test', 'bench', 'scripts')];

t.test('no file is longer than 400 lines', async (t) => {
  for (const { path, text } of everything) t.ok(text.split('\n').length <= FILE_LINES_MAX, path);
});

t.test('no function is longer than 70 lines, and the middle one has ten', async (t) => {
  const lengths: number[] = [];
  for (const source of productSources) {
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
        const lines = node.getText(source.tree).split('\n').length;
        if (lines > 1) lengths.push(lines);
        const name = node.name?.getText(source.tree) ?? 'a function';
        if (lines > FUNCTION_LINES_MAX) t.fail(`${source.path}: ${name} has ${String(lines)} lines`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source.tree);
  }
  lengths.sort((a, b) => a - b);
  t.ok(
    (lengths[lengths.length >> 1] ?? 0) <= 10,
    `the median function has ${String(lengths[lengths.length >> 1])} lines`,
  );
});

t.test('files are named for what they hold, in kebab case', async (t) => {
  for (const { path } of everything) {
    t.match(basename(path), /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/, path);
    t.notMatch(basename(path), /^(utils?|helpers?|common|misc|manager|index)\.ts$/, path);
  }
});

t.test('modules open with what they are, and export nothing by default', async (t) => {
  for (const { path, text } of productSources) {
    t.match(text, /^(#!.*\n)?\/\*\*|^(#!.*\n)?\/\/ /, `${path} opens with a comment`);
    t.notMatch(text, /^export default/m, path);
    t.notMatch(text, /^export \* from/m, path);
  }
});

t.test('every export of the product has a docstring', async (t) => {
  const bare: string[] = [];
  for (const { path, tree } of productSources) {
    for (const statement of tree.statements) {
      const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
      const exported = modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword);
      if (!exported || ts.getJSDocCommentsAndTags(statement).length > 0) continue;
      bare.push(`${path}: ${statement.getText(tree).split('\n')[0] ?? ''}`);
    }
  }
  t.same(bare, []);
});
