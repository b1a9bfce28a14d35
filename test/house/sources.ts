/** The project's own TypeScript sources, parsed, for the rules that read them. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join, relative } from 'node:path';
import ts from 'typescript';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface Source {
  /** From the root, such as `src/core/bytes.ts`. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return path === 'src/core/wasm' ? [] : walk(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

/** Every source under the given folders. */
export function readSources(...folders: readonly string[]): Source[] {
  return folders.flatMap(walk).map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path: relative('.', path), text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
  });
}

/** What the product is made of. */
export const productSources = readSources('src', 'storage', 'introducer');

/** The module names that a source imports, static and dynamic, types included. */
export function importsOf({ tree }: Source): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (specifier !== undefined && ts.isStringLiteral(specifier)) names.push(specifier.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return names;
}
