/** The blocks of docs/privacy.md are configurations of nodes that start, and the promises name what is there. */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { errorCodes } from '#core/errors.js';
import { readSettings } from '#node/settings.js';
import { resolveTubLocation } from '#node/tub-location.js';
import { describeCommands } from '#cli/whole-program.js';
import { configure } from '../fixtures/configure.js';

const page = await readFile(new URL('../../../../docs/privacy.md', import.meta.url), 'utf8');
const blocks = [...page.matchAll(/^```\n([^`]*)^```$/gm)].map(([, text = '']) => text);

t.test('every configuration hides, and starts', async (t) => {
  const configurations = blocks.filter((text) => text.startsWith('['));
  t.equal(configurations.length, 3);
  for (const text of configurations) {
    const configuration = configure(text);
    const settings = readSettings(configuration, '/n');
    t.equal(settings.network.hidesAddress, true);
    t.strictSame(settings.warnings, []);
    const surroundings = {
      rememberedPort: undefined,
      allocatePort: () => Promise.resolve(1),
      localAddresses: () => [],
    };
    const location = await resolveTubLocation(configuration, surroundings);
    for (const { host } of location?.endpoints ?? []) t.equal(host, '127.0.0.1');
  }
});

t.test('every command has the options that are shown', async (t) => {
  const commands = await describeCommands();
  const lines = blocks.filter((text) => text.startsWith('tallac '));
  t.equal(lines.length, 2);
  for (const line of lines) {
    const [, name = '', ...words] = line.trim().split(' ');
    const help = commands.find((command) => command.name === name)?.command.helpInformation() ?? '';
    for (const option of words.flatMap((word) => /^(--[a-z0-9-]+)/.exec(word)?.[1] ?? [])) t.match(help, option);
  }
  for (const [code] of page.matchAll(/ERR_[A-Z_]+/g)) t.ok((errorCodes as readonly string[]).includes(code), code);
});
