/** Where a node listens for others, and what it tells them. */
import t from 'tap';
import { resolveTubLocation } from '#node/tub-location.js';
import type { TubSurroundings } from '#node/tub-location.js';
import { configure } from './fixtures/configure.js';

const surroundings: TubSurroundings = {
  rememberedPort: undefined,
  allocatePort: () => Promise.resolve(4321),
  localAddresses: () => ['127.0.0.1', '192.0.2.1'],
};

async function locate(text: string, rememberedPort?: string): Promise<unknown> {
  const located = await resolveTubLocation(configure(`[node]\n${text}`), { ...surroundings, rememberedPort });
  if (located === undefined) return undefined;
  return {
    listen: located.endpoints.map(({ host, port }) => `${host} ${String(port)}`),
    tell: located.hints.map(({ text }) => text),
    remember: located.portToRemember,
  };
}

t.test('where a node listens for others, and what it tells them', async (t) => {
  const all = ['tcp:127.0.0.1:4321', 'tcp:192.0.2.1:4321'];
  t.strictSame(await locate(''), { listen: ['0.0.0.0 4321'], tell: all, remember: 'tcp:4321' });
  t.strictSame(await locate('', 'tcp:99:interface=127.0.0.1\n'), {
    listen: ['127.0.0.1 99'],
    tell: ['tcp:127.0.0.1:99', 'tcp:192.0.2.1:99'],
    remember: undefined,
  });
  t.strictSame(await locate('tub.port = 3457\ntub.location = tcp:a.example:1, b.example:2,tor:c.onion:3'), {
    listen: ['0.0.0.0 3457'],
    tell: ['tcp:a.example:1', 'b.example:2', 'tor:c.onion:3'],
    remember: undefined,
  });
  t.strictSame(await locate('tub.port = tcp:4321, tcp6:4322\ntub.location = AUTO,tcp:a:1'), {
    listen: ['0.0.0.0 4321', ':: 4322'],
    tell: [...all, 'tcp:a:1'],
    remember: undefined,
  });
  const onion = '[tor]\nonion = true\nonion.local_port = 45';
  t.strictSame(
    await locate(`reveal-IP-address = false\ntub.port = listen:tor\ntub.location = tor:c.onion:3\n${onion}`),
    {
      listen: ['127.0.0.1 45'],
      tell: ['tor:c.onion:3'],
      remember: undefined,
    },
  );
  t.strictSame(await locate('tub.port = tcp:1,listen:i2p\ntub.location = i2p:c.b32.i2p\n[i2p]\ndest = true'), {
    listen: ['0.0.0.0 1', '127.0.0.1 4321'],
    tell: ['i2p:c.b32.i2p'],
    remember: undefined,
  });
  t.strictSame(await locate('reveal-IP-address = false\ntub.port = 1\ntub.location = tor:c.onion:3'), {
    listen: ['0.0.0.0 1'],
    tell: ['tor:c.onion:3'],
    remember: undefined,
  });
  t.equal(await locate('tub.port = disabled\ntub.location = disabled'), undefined);
});

t.test('locations that are refused', async (t) => {
  const refused: [text: string, message: string | RegExp][] = [
    ...['0', 'tcp:0', 'tcp:port=0', 'tcp:0:interface=127.0.0.1', 'tcp:1,tcp:0'].map((port): [string, string] => [
      `tub.port = ${port}`,
      'tahoe.cfg: [node]tub.port: tub.port cannot be 0: you must choose.',
    ]),
    ['tub.port =', 'tahoe.cfg: [node]tub.port: it must not be empty; write tcp:PORT or disabled'],
    ['tub.port = tcp:1,', 'tahoe.cfg: [node]tub.port: it must not be empty; write tcp:PORT or disabled'],
    ['tub.location =', 'tahoe.cfg: [node]tub.location: it must not be empty; write tcp:HOST:PORT or disabled'],
    [
      'tub.port = disabled',
      'tahoe.cfg: [node]tub.port: tub.port is disabled, but not tub.location; disable both or neither',
    ],
    [
      'tub.location = disabled',
      'tahoe.cfg: [node]tub.location: tub.location is disabled, but not tub.port; disable both or neither',
    ],
    ['tub.port = listen:tor', /'listen:tor' takes \[tor\]onion = true and onion.local_port/],
    ['tub.port = listen:tor\n[tor]\nonion = true\nonion.local_port = x', /'x' is not an integer from 1 to 65535/],
    ['tub.port = listen:i2p', /'listen:i2p' takes \[i2p\]dest = true/],
    ['tub.port = ssl:1', /only tcp: is available in this version/],
    [
      'tub.port = 1\ntub.location = nowhere',
      "tahoe.cfg: [node]tub.location: 'nowhere' is not a location; write tcp:HOST:PORT",
    ],
    ['reveal-IP-address = false', /tub.location uses AUTO, but reveal-IP-address = false/],
    ['reveal-IP-address = false\ntub.location = a.example:1', /tub.location includes tcp: hint, but reveal-IP-address/],
  ];
  for (const [text, message] of refused) await t.rejects(locate(text), { code: 'ERR_CONFIG', message }, text);
});
