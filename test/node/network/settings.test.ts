/** Which ways the options give, and every way in which they would show the address that they are to hide. */
import t from 'tap';
import { proxyPlace, formatPlace } from '#node/config/proxy-place.js';
import { readIntroducerSettings } from '#node/introducer-settings.js';
import { readNetwork } from '#node/network/network-settings.js';
import { readSettings } from '#node/settings.js';
import { configure } from '../fixtures/configure.js';

const onion = 'onion = true\nonion.local_port = 1\nonion.external_port = 2\nonion.private_key_file = k\n';
const hiding = '[node]\nreveal-IP-address = false\n';

t.test('places of proxies', (t) => {
  for (const [text, place] of [
    ['tcp:127.0.0.1:9050', { host: '127.0.0.1', port: 9050 }],
    ['tcp:localhost:1', { host: '127.0.0.1', port: 1 }],
    ['tcp:[::1]:1', { host: '::1', port: 1 }],
    ['tcp:host=tor:port=65535', { host: 'tor', port: 65_535 }],
    ['unix:/var/run/tor/control', { path: '/var/run/tor/control' }],
    ['', undefined],
  ] as const) {
    t.strictSame(proxyPlace.parse(text), { value: place }, text);
  }
  for (const text of [
    '9050',
    'tcp:9050',
    'tcp:a:0',
    'tcp:a:65536',
    'unix:',
    'unix:a',
    'tcp:a:1:b',
    'udp:a:1',
    'tcp::1',
  ]) {
    t.ok('problem' in proxyPlace.parse(text), text);
  }
  t.equal(formatPlace({ host: '::1', port: 1 }), 'tcp:[::1]:1');
  t.equal(formatPlace({ path: '/x' }), 'unix:/x');
  t.end();
});

t.test('the ways follow the options', (t) => {
  const text =
    `${hiding}[connections]\ntcp = tor\n[tor]\nsocks.port = tcp:127.0.0.1:1\ncontrol.port = unix:/c\n${onion}` +
    '[i2p]\nsam.port = tcp:127.0.0.1:7\ndest = true\ndest.port = 3\ndest.private_key_file = d\n';
  t.strictSame(readNetwork(configure(text)), {
    tcp: 'tor',
    hidesAddress: true,
    tor: {
      socks: { host: '127.0.0.1', port: 1 },
      control: { path: '/c' },
      launch: false,
      executable: undefined,
      onion: { localPort: 1, externalPort: 2, keyFile: 'k' },
    },
    i2p: { sam: { host: '127.0.0.1', port: 7 }, destination: { port: 3, keyFile: 'd' } },
  });
  t.end();
});

t.test('what would show the address, or cannot be done, keeps a node of any kind from starting', (t) => {
  const refused: [text: string, message: RegExp][] = [
    [
      hiding,
      /\[connections\]tcp: Privacy requested with `reveal-IP-address = false` but `tcp = tcp` conflicts with this/,
    ],
    [
      '[connections]\ntcp = tor\n[tor]\nenabled = false\n',
      /\[connections\]tcp: it says tor, and \[tor\]enabled = false/,
    ],
    [
      `${hiding}[connections]\ntcp = tor\n[tor]\nsocks.port = tcp:proxy:1\n`,
      /\[tor\]socks.port: .* no name is looked up/,
    ],
    [`${hiding}[connections]\ntcp = tor\n[i2p]\nsam.port = tcp:proxy:1\n`, /\[i2p\]sam.port: .* no name is looked up/],
    [`[tor]\n${onion}`, /\[tor\]onion: .* set control.port, or launch = true/],
    [`[tor]\nenabled = false\nlaunch = true\n${onion}`, /\[tor\]onion: .* turns Tor off/],
    ['[tor]\nlaunch = true\nonion = true\n', /\[tor\]onion: it is true, and onion.local_port is missing/],
    ['[tor]\nlaunch = true\nonion = true\nonion.local_port = 1\n', /onion.external_port is missing/],
    [`[tor]\nlaunch = true\n${onion.replace(/onion.private.*/, '')}`, /onion.private_key_file is missing/],
    ['[i2p]\nlaunch = true\n', /\[i2p\]launch: this program starts no I2P router/],
    ['[i2p]\nlaunch = true\nsam.port = tcp:127.0.0.1:1\n', /exclude each other/],
    ['[i2p]\ndest = true\n', /\[i2p\]dest: .* set sam.port/],
    ['[i2p]\ndest = true\nsam.port = tcp:127.0.0.1:1\n', /dest.port is missing/],
    ['[i2p]\ndest = true\nsam.port = tcp:127.0.0.1:1\ndest.port = 1\n', /dest.private_key_file is missing/],
    [
      '[i2p]\nenabled = false\ndest = true\nsam.port = tcp:127.0.0.1:1\ndest.port = 1\ndest.private_key_file = k\n',
      /turns I2P off/,
    ],
  ];
  for (const [text, message] of refused) {
    for (const read of [
      () => readSettings(configure(text), '/n'),
      () => readIntroducerSettings(configure(text, '', 'introducer')),
    ]) {
      t.throws(read, { code: 'ERR_CONFIG', message }, text);
    }
  }
  t.doesNotThrow(() => readNetwork(configure(`${hiding}[connections]\ntcp = disabled\n`)));
  t.end();
});
