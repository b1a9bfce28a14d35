/**
 * The schema: it knows what the reference knows, refuses the rest in its words, and renders tahoe.cfg.example.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { TahoeError, isTahoeError, reasonOf } from '#core/errors.js';
import { renderExample } from '#node/config/example.js';
import { environmentName } from '#node/config/option.js';
import type { ValueKind } from '#node/config/option.js';
import { allOptions, options } from '#node/config/schema.js';
import { boolean, date, duration, furl, integer, list, oneOf, optionalText, size } from '#node/config/values.js';
import { configure } from './fixtures/configure.js';

/** Every static option of tahoe-lafs 1.20: what its two tables of valid options hold. */
const REFERENCE_OPTIONS: Readonly<Record<string, string>> = {
  connections: 'tcp',
  node: `log_gatherer.furl nickname reveal-ip-address tempdir timeout.disconnect timeout.keepalive tub.location tub.port
    web.port web.static`,
  i2p: 'enabled i2p.configdir i2p.executable launch sam.port dest dest.port dest.private_key_file',
  tor: `control.port enabled launch socks.port tor.executable onion onion.local_port onion.external_port
    onion.private_key_file`,
  client: `helper.furl introducer.furl key_generator.furl mutable.format peers.preferred shares.happy shares.needed
    shares.total shares._max_immutable_segment_size_for_testing storage.plugins force_foolscap`,
  storage: `debug_discard enabled anonymous expire.cutoff_date expire.enabled expire.immutable expire.mode expire.mutable
    expire.override_lease_duration readonly reserved_space storage_dir plugins grid_management force_foolscap`,
  sftpd: 'accounts.file enabled host_privkey_file host_pubkey_file port',
  helper: 'enabled',
};

t.test('tahoe.cfg knows exactly the options of the reference', (t) => {
  const theirs = Object.entries(REFERENCE_OPTIONS).flatMap(([section, names]) =>
    names.split(/\s+/).map((name) => `[${section}]${name}`),
  );
  const ours = allOptions
    .filter(({ file }) => file === 'tahoe.cfg')
    .map(({ section, name }) => `[${section}]${name.toLowerCase()}`);
  t.strictSame(ours.sort(), theirs.sort());
  t.end();
});

t.test('unknown sections and options are refused in the words of the reference', (t) => {
  const refused: [text: string, message: string][] = [
    ['[nodes]\n', "'tahoe.cfg' contains unknown section [nodes]"],
    ['[Node]\n', "'tahoe.cfg' contains unknown section [Node]"],
    ['[limits]\n', "'tahoe.cfg' contains unknown section [limits]"],
    ['[node]\nnickNames = x\n', "'tahoe.cfg' section [node] contains unknown option 'nicknames'"],
    ['[sftpd]\naccounts.url = x\n', "'tahoe.cfg' section [sftpd] contains unknown option 'accounts.url'"],
    ['[DEFAULT]\nbase = /srv\n[storage]\n', "'tahoe.cfg' section [storage] contains unknown option 'base'"],
  ];
  for (const [text, message] of refused) t.throws(() => configure(text), { code: 'ERR_CONFIG_UNKNOWN', message });
  t.throws(() => configure('', '[clients]\n'), { message: "'tallac.cfg' contains unknown section [clients]" });
  t.throws(() => configure('', '[log]\ncolour = x\n'), {
    message: "'tallac.cfg' section [log] contains unknown option 'colour'",
  });
  t.throws(() => configure('[client]\n', '', 'introducer'), {
    message: "'tahoe.cfg' contains unknown section [client]",
  });
  t.throws(() => configure('[grid_managers]\n', '', 'introducer'), { code: 'ERR_CONFIG_UNKNOWN' });
  t.end();
});

t.test('what the reference accepts is accepted', (t) => {
  const free = '[grid_managers]\nAlice = pub-v0-x\n[storageserver.plugins.a]\nb = 1\n[storageclient.plugins.]\nc = 2\n';
  const configuration = configure(`${free}[grid_manager_certificates]\n`);
  t.strictSame([...configuration.section('grid_managers')], [['alice', 'pub-v0-x']]);
  t.equal(configuration.section('nothing').size, 0);
  t.doesNotThrow(() => configure('[DEFAULT]\nenabled = true\n[helper]\n[tor]\n[i2p]\n'));
  t.doesNotThrow(() => configure('[node]\n[connections]\n[tor]\n[i2p]\n', '[log]\nlevel = debug\n', 'introducer'));
  t.end();
});

t.test('an option has its value, or its fallback, or one sentence that names it', (t) => {
  const configuration = configure('[client]\nShares.Needed = 2\nshares.total = many\n[storage]\nreadonly =\n');
  t.equal(configuration.get(options.sharesNeeded), 2);
  t.equal(configuration.get(options.sharesHappy), 7);
  t.equal(configuration.isSet(options.sharesNeeded), true);
  t.equal(configuration.isSet(options.sharesHappy), false);
  t.throws(() => configuration.get(options.sharesTotal), {
    code: 'ERR_CONFIG',
    message: "tahoe.cfg: [client]shares.total: 'many' is not an integer from 1 to 256",
  });
  t.throws(() => configuration.get(options.storageReadonly), {
    message: "tahoe.cfg: [storage]readonly: '' is not a boolean; write true or false",
  });
  t.end();
});

t.test('options without effect yet are listed when they say something', (t) => {
  t.strictSame(configure('[client]\nkey_generator.furl =\n[tor]\nlaunch = yes\n').withoutEffect(), []);
  t.strictSame(configure('[client]\nkey_generator.furl = pb://x\n').withoutEffect(), ['[client]key_generator.furl']);
  t.end();
});

type Rows = [kind: ValueKind<unknown>, text: string, value: unknown][];

t.test('kinds of value', (t) => {
  const good: Rows = [
    ...['1', 'yes', 'TRUE', 'On'].map((text): Rows[number] => [boolean, text, true]),
    ...['0', 'no', 'False', 'OFF'].map((text): Rows[number] => [boolean, text, false]),
    [size, '', 0],
    [size, '1024', 1024],
    [size, '1G', 1_000_000_000],
    [size, '5gb', 5_000_000_000],
    [size, '10KiB', 10_240],
    [size, '2mi', 2_097_152],
    [size, '1TB', 1e12],
    [size, '1Ei', Number.MAX_SAFE_INTEGER],
    [size, '3i', 3],
    [size, '3B', 3],
    [integer(1, 256), '256', 256],
    [integer(1, 256), '+003', 3],
    [list, '', []],
    [list, 'a, b,,c ', ['a', 'b', 'c']],
    [optionalText, '', undefined],
    [furl, 'pb://a@b/c', 'pb://a@b/c'],
    [furl, '', undefined],
    ...['60 days', '60day', '60 DAY', '5184000 seconds', '5184000s'].map((text): Rows[number] => [
      duration,
      text,
      5_184_000,
    ]),
    ...['2 months', '2mo', '2 month'].map((text): Rows[number] => [duration, text, 62 * 86_400]),
    ...['1 year', '1years'].map((text): Rows[number] => [duration, text, 365 * 86_400]),
    [duration, '', undefined],
    [date, '2009-01-31', 1_233_360_000],
    [date, '', undefined],
    [oneOf('tcp', 'tor'), 'TCP', 'tcp'],
  ];
  for (const [kind, text, value] of good) t.strictSame(kind.parse(text), { value }, text);
  const bad: [kind: ValueKind<unknown>, text: string][] = [
    [boolean, 'ja'],
    [boolean, ''],
    [size, '5 TB'],
    [size, '1.5G'],
    [size, '-1'],
    [size, '10GG'],
    [integer(1, 256), '0'],
    [integer(1, 256), '257'],
    [integer(1, 256), ''],
    [integer(1, 256), '1e2'],
    [oneOf('tcp', 'tor'), 'i2p'],
  ];
  for (const [kind, text] of bad) t.match(kind.parse(text), { problem: new RegExp(`^'${text}' is not `) }, text);
  t.strictSame(furl.parse('pb://secret#'), { problem: "the furl contains an unescaped '#' character" });
  t.end();
});

t.test('any file either gives every option a value or fails with a TahoeError', (t) => {
  const anyText = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll(/[\n\r]/g, ' '));
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.constantFrom(...allOptions), anyText, (option, text) => {
        const line = `[${option.section}]\n${option.name} = ${text}\n`;
        try {
          const isTahoe = option.file === 'tahoe.cfg';
          configure(isTahoe ? line : '', isTahoe ? '' : line).get(option);
          return true;
        } catch (error) {
          return isTahoeError(error, 'ERR_CONFIG') && reasonOf(error).includes(`[${option.section}]`);
        }
      }),
    );
  });
  t.end();
});

t.test('environment names are those of the schema, one an option', (t) => {
  const names = allOptions.flatMap((option) => [environmentName(option), `${environmentName(option)}_FILE`]);
  t.equal(new Set(names).size, names.length);
  t.ok(names.every((name) => /^(?:TAHOE|TALLAC)_[A-Z0-9_]+$/.test(name)));
  t.equal(environmentName(options.revealIpAddress), 'TAHOE_NODE_REVEAL_IP_ADDRESS');
  t.equal(environmentName(options.sharesNeeded), 'TAHOE_CLIENT_SHARES_NEEDED');
  t.equal(environmentName(options.logLevel), 'TALLAC_LOG_LEVEL');
  t.end();
});

const exampleFile = new URL('../../../tahoe.cfg.example', import.meta.url);

t.test('tahoe.cfg.example is what the schema renders', (t) => {
  const example = readFileSync(exampleFile, 'utf8');
  t.equal(example, renderExample());
  t.doesNotThrow(() => configure(example), 'as it stands it is a configuration');
  t.strictSame(configure(example).withoutEffect(), []);
  t.end();
});

t.test('every line of the example may be uncommented', (t) => {
  const [tahoe = '', tallac = ''] = renderExample().split(/\n# -+\n/);
  const uncomment = (text: string): string =>
    text.replaceAll(/^#([^ \n].*)$/gm, '$1').replaceAll('[storageserver.plugins.NAME]', '[storageserver.plugins.x]');
  const configuration = configure(uncomment(tahoe), uncomment(tallac));
  const listed = allOptions.filter((option) => configuration.isSet(option));
  t.equal(listed.length, allOptions.length, 'and each option is there');
  for (const option of allOptions) {
    const value = configuration.get(option);
    if (option !== options.webPort && option !== options.tubPort) {
      t.strictSame(value, option.fallback, `${option.section} ${option.name} shows its default`);
    }
  }
  t.end();
});

t.test('errors that others throw about an option name its source', (t) => {
  const configuration = configure('[node]\nweb.port = x\n');
  const error = configuration.error(options.webPort, 'it is odd');
  t.ok(error instanceof TahoeError);
  t.equal(error.message, 'tahoe.cfg: [node]web.port: it is odd');
  t.equal(configuration.sectionError('grid_managers', 'no').message, 'tahoe.cfg: [grid_managers]: no');
  t.end();
});
