/**
 * Settings and the tub's location: what a node makes of its configuration, and each way in which it refuses.
 */
import { homedir } from 'node:os';
import t from 'tap';
import { gatewayUrl, parseEndpoint, parseLocationHint } from '#node/config/endpoint-text.js';
import type { ListPlace } from '#node/config/list-place.js';
import { readIntroducerSettings } from '#node/introducer-settings.js';
import { readSettings, resolvePath } from '#node/settings.js';
import { configure } from './fixtures/configure.js';

t.test('endpoints', (t) => {
  const good: [text: string, host: string, port: number, backlog?: number][] = [
    ['3456', '0.0.0.0', 3456],
    ['0', '0.0.0.0', 0],
    ['tcp:3456', '0.0.0.0', 3456],
    ['tcp:3456:interface=127.0.0.1', '127.0.0.1', 3456],
    ['3456:interface=127.0.0.1', '127.0.0.1', 3456],
    ['tcp:port=1:interface=\\:\\:1', '::1', 1],
    ['tcp:interface=10.0.0.1:port=65535:backlog=50', '10.0.0.1', 65_535, 50],
    ['tcp6:3456', '::', 3456],
    ['tcp:1:interface=', '0.0.0.0', 1],
  ];
  for (const [text, host, port, backlog] of good) {
    t.strictSame(parseEndpoint(text), { value: { host, port, backlog, text } }, text);
  }
  const bad = [
    '',
    'tcp',
    'tcp:',
    'tcp:x',
    'tcp:65536',
    'tcp:1:2',
    'tcp:1:colour=red',
    'tcp:1:backlog=0',
    'tcp:1:=x',
    '-1',
  ];
  const other = ['ssl:1:privateKey=a', 'unix:/tmp/x', 'systemd:domain=INET:index=0', 'listen:tor', 'disabled', '\\'];
  for (const text of [...bad, ...other]) {
    t.match(parseEndpoint(text), { problem: / cannot be listened on: .*; write for instance tcp:3456/ }, text);
  }
  t.end();
});

t.test('location hints', (t) => {
  const good: [text: string, host: string, port: number][] = [
    ['tcp:example.org:3457', 'example.org', 3457],
    ['example.org:3457', 'example.org', 3457],
    ['192.0.2.1:1', '192.0.2.1', 1],
    ['tcp:[2001:db8::1]:65535', '2001:db8::1', 65_535],
    ['tcp:[fe80::1%en0]:1', 'fe80::1%en0', 1],
  ];
  for (const [text, host, port] of good) {
    t.strictSame(parseLocationHint(text), { value: { type: 'tcp', host, port, text } }, text);
  }
  for (const text of ['tor:abc.onion:80', 'i2p:x.i2p', 'tor:host=x']) {
    t.match(parseLocationHint(text), { value: { type: 'other', text } }, text);
  }
  for (const text of [
    '',
    'example.org',
    'tcp:example.org',
    'tcp:example.org:0',
    'a:99999',
    'tcp:a b:1',
    'tor:a/b:1',
    'tor:a,b',
  ]) {
    t.match(parseLocationHint(text), { problem: / is not a location; / }, text);
  }
  t.end();
});

t.test('the URL in node.url can be reached from this machine', (t) => {
  t.equal(gatewayUrl('127.0.0.1', 3456), 'http://127.0.0.1:3456/');
  t.equal(gatewayUrl('0.0.0.0', 1), 'http://127.0.0.1:1/');
  t.equal(gatewayUrl('::', 1), 'http://[::1]:1/');
  t.equal(gatewayUrl('192.0.2.7', 80), 'http://192.0.2.7:80/');
  t.end();
});

t.test('settings of an empty configuration are the defaults', (t) => {
  t.strictSame(readSettings(configure(''), '/node'), {
    nickname: '<unspecified>',
    web: undefined,
    gateway: { hosts: [], isPrivate: false, isReadOnly: false },
    tempDirectory: '/node/tmp',
    encoding: { needed: 3, happy: 7, total: 10, maximumSegmentSizeBytes: 1_048_576 },
    mutableFormat: 'sdmf',
    storage: {
      ...{ directory: '/node/storage', isReadonly: false, reservedSpaceBytes: 0, maximumSpaceBytes: undefined },
      scrubBytesPerSecond: 10_000_000,
      forceFoolscap: false,
      expiry: {
        isEnabled: false,
        policy: { rule: { mode: 'age', durationSeconds: undefined }, immutable: true, mutable: true },
      },
      certificateFiles: [],
    },
    gridManagers: undefined,
    introducer: undefined,
    serverLists: [],
    network: {
      tcp: 'tcp',
      hidesAddress: false,
      tor: { socks: undefined, control: undefined, launch: false, executable: undefined, onion: undefined },
      i2p: { sam: { host: '127.0.0.1', port: 7656 }, destination: undefined },
    },
    mayConnect: true,
    logLevel: 'info',
    crypto: 'native',
    foolscap: { enabled: true, clientForced: false },
    logGatherer: undefined,
    helper: { isEnabled: false, sizeMax: 107_374_182_400, furl: undefined, nurl: undefined },
    sftp: undefined,
    connectionsMax: 10_000,
    spoolBytesMax: 107_374_182_400,
    warnings: [],
  });
  t.end();
});

t.test('settings follow the files', (t) => {
  const tahoe = `
[node]
nickname = Jürgen
web.port = tcp:0:interface=127.0.0.1
web.static = ~/web
tempdir = ~/tmp
reveal-IP-address = false
[connections]
tcp = Disabled
[tor]
enabled = false
[i2p]
enabled = no
[client]
shares.needed = 1
shares.happy = 1
shares.total = 1
shares._max_immutable_segment_size_for_testing = 128
force_foolscap = true
[storage]
force_foolscap = 1
readonly = yes
reserved_space = 5GiB
storage_dir = ../shares
expire.enabled = true
expire.mode = cutoff-date
expire.cutoff_date = 2026-01-31
expire.mutable = no
[helper]
enabled = true
`;
  t.strictSame(
    readSettings(
      configure(
        tahoe,
        '[node]\ncrypto = portable\n[log]\nlevel = WARN\n[limits]\nconnections = 5\nspool_size = 1M\nhelper_size = 2M\n[storage]\nmax_space = 2TB\nscrub_rate = 0\n' +
          '[gateway]\nhosts = a.example, b.example\nprivate = yes\nread_only = true\n',
      ),
      '/n/d',
    ),
    {
      nickname: 'Jürgen',
      web: { host: '127.0.0.1', port: 0, backlog: undefined, text: 'tcp:0:interface=127.0.0.1' },
      gateway: { hosts: ['a.example', 'b.example'], isPrivate: true, isReadOnly: true },
      tempDirectory: `${homedir()}/tmp`,
      encoding: { needed: 1, happy: 1, total: 1, maximumSegmentSizeBytes: 128 },
      mutableFormat: 'sdmf',
      storage: {
        ...{ directory: '/n/shares', isReadonly: true, reservedSpaceBytes: 5_368_709_120, maximumSpaceBytes: 2e12 },
        scrubBytesPerSecond: 0,
        forceFoolscap: true,
        expiry: {
          isEnabled: true,
          policy: { rule: { mode: 'cutoff-date', cutoffSeconds: 1_769_817_600 }, immutable: true, mutable: false },
        },
        certificateFiles: [],
      },
      gridManagers: undefined,
      introducer: undefined,
      serverLists: [],
      network: { tcp: 'disabled', hidesAddress: true, tor: undefined, i2p: undefined },
      mayConnect: false,
      logLevel: 'warn',
      crypto: 'portable',
      foolscap: { enabled: true, clientForced: true },
      logGatherer: undefined,
      helper: { isEnabled: true, sizeMax: 2_000_000, furl: undefined, nurl: undefined },
      sftp: undefined,
      connectionsMax: 5,
      spoolBytesMax: 1_000_000,
      warnings: ['[node]web.static is set and has no effect in this version'],
    },
  );
  t.equal(
    readSettings(configure('[storage]\nenabled = false\n[node]\ntub.port = disabled\ntub.location = disabled\n'), '/n')
      .storage,
    undefined,
  );
  t.equal(readSettings(configure('[storage]\nanonymous = false\n'), '/n').storage, undefined);
  t.strictSame(readSettings(configure('', '[node]\nfoolscap = false\n'), '/n').foolscap, {
    enabled: false,
    clientForced: false,
  });
  const furl = `pb://${'a'.repeat(32)}@tcp:x:1/name`;
  t.equal(readSettings(configure(`[client]\nhelper.furl = ${furl}\n`), '/n').helper.furl, furl);
  t.equal(readSettings(configure('[client]\nhelper.furl = None\n'), '/n').helper.furl, undefined);
  const off = (text: string) => readSettings(configure(text, '[node]\nfoolscap = false\n'), '/n').helper;
  t.throws(() => off(`[client]\nhelper.furl = ${furl}\n`), { code: 'ERR_CONFIG', message: /helper_nurl/ });
  t.equal(off('[helper]\nenabled = true\n').isEnabled, true, 'it is reached over HTTPS');
  const nurl = `pb://${'A'.repeat(43)}@x:1/s3cret#v=1`;
  const helped = (text: string) => readSettings(configure('', `[client]\nhelper_nurl = ${text}\n`), '/n').helper.nurl;
  t.equal(helped(nurl)?.dangerouslyFormat(), nurl);
  t.equal(helped(''), undefined);
  t.throws(() => helped(nurl.replace('#v=1', '')), {
    code: 'ERR_CONFIG',
    message: /^tallac.cfg: \[client\]helper_nurl: .*(?!s3cret)/,
  });
  t.equal(readSettings(configure(`[node]\nlog_gatherer.furl = ${furl}\n`), '/n').logGatherer, furl);
  t.equal(readSettings(configure('[node]\nlog_gatherer.furl =\n'), '/n').logGatherer, undefined);
  const gathered = configure(`[node]\nlog_gatherer.furl = ${furl}\n`, '[node]\nfoolscap = false\n', 'introducer');
  t.throws(() => readIntroducerSettings(gathered), { code: 'ERR_CONFIG', message: /gatherers speak Foolscap/ });
  for (const section of ['client', 'storage']) {
    const forced = configure(`[${section}]\nforce_foolscap = true\n`, '[node]\nfoolscap = false\n');
    t.throws(() => readSettings(forced, '/n'), { code: 'ERR_CONFIG' }, section);
  }
  t.equal(readSettings(configure('[node]\nweb.port =\n'), '/n').web, undefined);
  t.strictSame(readSettings(configure('[client]\nshares.total = 5\n'), '/n').warnings, [
    '[client]shares.happy asks for 7 servers and shares.total makes only 5 shares: no upload can succeed',
  ]);
  t.equal(resolvePath('/n', '~'), homedir());
  t.equal(resolvePath('/n', '~x/y'), '/n/~x/y');
  t.end();
});

t.test('sections of storage plugins are warned of, as long as no plugin is asked for', (t) => {
  const text = '[storageclient.plugins.zkap]\nanything = 1\n[storageserver.plugins.x]\n';
  t.strictSame(readSettings(configure(text), '/n').warnings, [
    '[storageclient.plugins.zkap] is of a storage plugin; none is known, so it has no effect',
    '[storageserver.plugins.x] is of a storage plugin; none is known, so it has no effect',
  ]);
  t.throws(() => readSettings(configure(`${text}[storage]\nplugins = x\n`), '/n'), /\[storage\]plugins: no storage/);
  t.end();
});

t.test('a node refuses to start with one sentence', (t) => {
  const refused: [text: string, message: string | RegExp][] = [
    ['[connections]\ntcp = i2p', "tahoe.cfg: [connections]tcp: 'i2p' is not one of tcp, tor, disabled"],
    [
      '[node]\nreveal-IP-address = false',
      'tahoe.cfg: [connections]tcp: Privacy requested with `reveal-IP-address = false` but `tcp = tcp` conflicts with this.',
    ],
    [
      '[client]\nstorage.plugins = zkap',
      "tahoe.cfg: [client]storage.plugins: no storage plugin 'zkap' is known; remove it",
    ],
    ['[storage]\nplugins = a, b', "tahoe.cfg: [storage]plugins: no storage plugin 'a' is known; remove it"],
    ['[grid_managers]\na = pub-v0-x', /^tahoe.cfg: \[grid_managers\]: a is not a key: pub-v0- and 52 characters/],
    ['[grid_managers]\n', /^tahoe.cfg: \[grid_managers\]: it names no key, so that no server could get anything;/],
    [
      '[client]\nshares.needed = 11',
      'tahoe.cfg: [client]shares.needed: 11 shares cannot be needed of 10 (shares.total)',
    ],
    ['[client]\nshares.total = 257', "tahoe.cfg: [client]shares.total: '257' is not an integer from 1 to 256"],
    [
      '[node]\nlog_gatherer.furl = pb://s3cret',
      'tahoe.cfg: [node]log_gatherer.furl: pb://TUBID@HINTS/NAME is expected',
    ],
    ['[client]\nhelper.furl = pb://s3cret', 'tahoe.cfg: [client]helper.furl: pb://TUBID@HINTS/NAME is expected'],
    [
      '[helper]\nenabled = true\n[storage]\nenabled = false\n[node]\ntub.port = disabled\ntub.location = disabled',
      /^tahoe.cfg: \[helper\]enabled: a helper is enabled, but tub.port is disabled/,
    ],
    [
      '[client]\nhelper.furl = pb://s3cret#x',
      "tahoe.cfg: [client]helper.furl: the furl contains an unescaped '#' character",
    ],
    [
      '[node]\nweb.port = unix:/x',
      /^tahoe.cfg: \[node\]web.port: 'unix:\/x' cannot be listened on: only tcp: is available/,
    ],
    ['[node]\nnickname = 50%', /^tahoe.cfg: \[node\]nickname: a '%' must be doubled/],
    ['[storage]\nreserved_space = much', /^tahoe.cfg: \[storage\]reserved_space: 'much' is not a size/],
    ['[storage]\nexpire.enabled = true', "tahoe.cfg: [storage]expire.mode: GC mode '' must be 'age' or 'cutoff-date'"],
    ['[storage]\nexpire.mode = whim', "tahoe.cfg: [storage]expire.mode: GC mode 'whim' must be 'age' or 'cutoff-date'"],
    ['[storage]\nexpire.mode = cutoff-date', /^tahoe.cfg: \[storage\]expire.cutoff_date: .* it must be set/],
    ['[storage]\nexpire.mode = age\nexpire.override_lease_duration = 60', /'60' is not a duration/],
    ['[storage]\nexpire.mode = cutoff-date\nexpire.cutoff_date = 2026-02-30', /'2026-02-30' is not a day/],
    ['[storage]\nenabled = maybe', "tahoe.cfg: [storage]enabled: 'maybe' is not a boolean; write true or false"],
    ['[storage]\nenabled = false\n[node]\ntub.port = disabled', /tub.port is disabled, but not tub.location/],
    ['[node]\ntub.port = disabled', /^tahoe.cfg: \[storage\]enabled: storage is enabled, but tub.port is disabled/],
    ['[sftpd]\nenabled = true', 'tahoe.cfg: [sftpd]accounts.file: SFTP is enabled, and this names no file'],
    [
      '[sftpd]\nenabled = true\naccounts.file = a',
      'tahoe.cfg: [sftpd]host_pubkey_file: SFTP is enabled, and this names no file',
    ],
    ['[sftpd]\nenabled = maybe', "tahoe.cfg: [sftpd]enabled: 'maybe' is not a boolean; write true or false"],
  ];
  for (const [text, message] of refused) {
    t.throws(() => readSettings(configure(text), '/node'), { code: 'ERR_CONFIG', message }, text);
  }
  t.throws(() => readSettings(configure('', '[log]\nlevel = loud\n'), '/node'), {
    message: "tallac.cfg: [log]level: 'loud' is not one of debug, info, warn, error",
  });
  t.end();
});

t.test('server lists are places and keys', (t) => {
  const key = `pub-v0-${'a'.repeat(52)}`;
  const lists = (text: string): readonly ListPlace[] =>
    readSettings(configure('', `[client]\nserver_lists = ${text}\n`), '/n').serverLists;
  t.strictSame(lists(`https://a/x?y ${key}, http://b:1/ ${key}`), [
    { url: 'https://a/x?y', identity: key, manager: new Uint8Array(32) },
    { url: 'http://b:1/', identity: key, manager: new Uint8Array(32) },
  ]);
  t.strictSame(lists(''), []);
  for (const [text, problem] of [
    [`ftp://secret/ ${key}`, 'list 1: it does not begin with a URL of http: or https:'],
    [key, 'list 1: it does not begin with a URL of http: or https:'],
    [`http://a/ ${key}, http://secret/`, 'list 2: behind its URL the key of its grid manager is expected, pub-v0-…'],
    [`http://secret/ ${key} http://b/ ${key}`, 'list 1: a URL and a key are expected, and a comma before the next URL'],
  ] as const) {
    t.throws(() => lists(text), { code: 'ERR_CONFIG', message: `tallac.cfg: [client]server_lists: ${problem}` });
  }
  t.end();
});
