/** One file of the product begins connections, and nobody looks up names: else a node that hides would not. */
import t from 'tap';
import { productSources } from './sources.js';

/** Who may: the dialler's own file, and the command line on its way to the gateway of its node. */
const dialling = ['src/node/network/direct-dialler.ts', 'src/cli/gateway-connection.ts', 'src/cli/gateway-client.ts'];
const connecting: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['connects by node:net', /import \{[^}]*\b(connect|createConnection|Socket)\b[^}]*\} from 'node:net'/],
  ['looks up names', /from 'node:dns/],
  ['sends datagrams', /from 'node:dgram/],
  ['fetches', /(?<![.\w#])fetch\((?!url: string)/],
  ['asks by node:http', /import \{[^}]*\b(request|get|Agent)\b[^}]*\} from 'node:https?'/],
];
/** A socket that merely has its type, or one that nobody connects. */
const without = new Set(['storage/routes.ts connects by node:net']);

t.test('connections begin in one place', (t) => {
  for (const { path, text } of productSources) {
    if (dialling.includes(path)) continue;
    for (const [what, pattern] of connecting) {
      t.ok(
        without.has(`${path} ${what}`) || !pattern.test(text.replaceAll(/import type [^;]*;/g, '')),
        `${path}: ${what}`,
      );
    }
  }
  t.end();
});

t.test('TLS is spoken over sockets that were dialled', (t) => {
  for (const { path, text } of productSources) {
    for (const [call, name = ''] of text.matchAll(/import \{[^}]*\bconnect( as \w+)?\b[^}]*\} from 'node:tls'/g)) {
      const callee = name === '' ? 'connect' : name.slice(4);
      const calls = [...text.matchAll(new RegExp(`(?<![.\\w#])${callee}\\(\\{([^}]*)`, 'g'))];
      t.ok(calls.length > 0, `${path}: ${call}`);
      for (const [, given = ''] of calls) t.match(given, /\bsocket\b/, `${path} hands a socket to ${callee}`);
    }
  }
  t.end();
});

t.test('undici and ws are given the sockets they use', (t) => {
  for (const { path, text } of productSources) {
    for (const [made] of text.matchAll(/new (Pool|Agent|Client)\([^;]*;/g)) {
      if (/undici\.js'/.test(text)) t.match(made, /\bconnect\b/, `${path}: ${made.slice(0, 40)}`);
    }
    for (const [made] of text.matchAll(/new WebSocket\([^;]*;/g)) t.match(made, /createConnection/, path);
  }
  t.end();
});
