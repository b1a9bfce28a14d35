/** Invitations between two of ours: what arrives, and what happens when the relay or the other side misbehaves. */
import t from 'tap';
import type { Test } from 'tap';
import { systemClock } from '#node/clock.js';
import { nodeRandom } from '#node/keypair.js';
import { invite, joinByCode } from '#node/wormhole/invitation.js';
import type { InvitationSettings } from '#node/wormhole/invitation.js';
import { openRelayLink } from '#node/wormhole/relay-link.js';
import type { RelayListener } from '#node/wormhole/relay-link.js';
import { Wormhole } from '#node/wormhole/wormhole.js';
import { directDialler } from '#node/network/direct-dialler.js';
import { parseWormholeCode } from '#wire/wormhole/code.js';
import { ManualClock } from '../../fixtures/clock.js';
import { Relay } from './relay.js';
import type { RelayFaults } from './relay.js';

const settings = {
  sharesNeeded: '3',
  sharesHappy: '7',
  sharesTotal: '10',
  nickname: 'Änne',
  introducer: 'pb://secret@tcp:h:1/introducer',
};

/** Connections are made again at once. */
function hastyClock(): typeof systemClock {
  return {
    ...systemClock,
    schedule: (delayMs, action) => systemClock.schedule(delayMs > 2_000 ? delayMs : 1, action),
  };
}

interface Meeting {
  readonly inviter: PromiseSettledResult<void>;
  readonly joiner: PromiseSettledResult<InvitationSettings>;
  readonly lines: readonly string[];
  readonly moods: readonly string[];
}

/** Both sides meet; `mistype` changes the code on its way. */
async function meet(t: Test, faults: RelayFaults = {}, mistype = (code: string) => code): Promise<Meeting> {
  const relay = await Relay.start(faults);
  t.teardown(() => relay.close());
  const lines: string[] = [];
  let tell: (code: string) => void = () => undefined;
  const code = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const end = new AbortController();
  t.teardown(() => {
    end.abort();
  });
  const common = {
    relay: relay.url,
    appId: 'x',
    random: nodeRandom,
    clock: hastyClock(),
    dialler: directDialler,
    signal: end.signal,
  };
  const report = (line: string): Promise<void> => {
    lines.push(line);
    if (line.startsWith('Invite Code')) tell(line.slice(line.lastIndexOf(' ') + 1));
    return Promise.resolve();
  };
  const inviting = invite(settings, { ...common, report });
  inviting.catch((error: unknown) => {
    tell('4-not-there');
    return error;
  });
  const joining = code.then((text) =>
    joinByCode(parseWormholeCode(mistype(text)), { ...common, report: () => Promise.resolve() }),
  );
  // Whoever fails leaves the other alone, who would wait for an hour.
  for (const side of [inviting, joining]) side.catch(() => setImmediate(() => setTimeout(() => end.abort(), 200)));
  const [inviter, joiner] = await Promise.allSettled([inviting, joining]);
  return { inviter, joiner, lines, moods: relay.moods };
}

t.test('the joiner gets what the inviter gives', async (t) => {
  const { inviter, joiner, lines, moods } = await meet(t);
  t.equal(inviter.status, 'fulfilled');
  t.match(joiner, { status: 'fulfilled', value: settings });
  t.match(lines, [
    /^Connecting to 'ws:/,
    /^Connected/,
    /^Invite Code for client: 4-[a-z]+-[a-z]+$/,
    /introduction/,
    /transm/,
  ]);
  t.same(moods, ['happy', 'happy']);
});

t.test('a connection that breaks anywhere is made again', async (t) => {
  for (let count = 1; count <= 14; count++) {
    const { inviter, joiner } = await meet(t, { breaksAfter: [count, count + 7] });
    t.same([inviter.status, joiner.status], ['fulfilled', 'fulfilled'], `after ${String(count)} messages`);
  }
});

t.test('a wrong code ends both sides', async (t) => {
  const { inviter, joiner, moods } = await meet(t, {}, (code) => `${code}x`);
  t.match(inviter, { status: 'rejected', reason: { code: 'ERR_WRONG_CODE' } });
  t.match(joiner, { status: 'rejected', reason: { code: 'ERR_WRONG_CODE' } });
  t.same(moods, ['scary', 'scary']);
});

t.test('a relay that lies gets nothing', async (t) => {
  const changes: Readonly<Record<string, RelayFaults>> = {
    'it refuses': { welcome: { error: 'closed for today' } },
    'it is no JSON': { change: () => 'hello' },
    'it changes a message': {
      change: (fields) => (fields.phase === 'version' ? { ...fields, body: '00'.repeat(60) } : fields),
    },
    'it plays a message back': {
      change: (fields) => (fields.phase === 'pake' ? { ...fields, side: 'feedfeed00' } : fields),
    },
    'it is full': { change: () => ({ type: 'error', error: 'crowded' }) },
  };
  for (const [name, faults] of Object.entries(changes)) {
    const { inviter, joiner, lines } = await meet(t, faults);
    t.same([inviter.status, joiner.status], ['rejected', 'rejected'], name);
    t.notMatch(lines.join('\n'), /transmitting/, name);
    const reason = inviter.status === 'rejected' ? String(inviter.reason) : '';
    t.match(reason, /mailbox server|same code|cancelled/, name);
  }
});

t.test('another side that is no side of an invitation', async (t) => {
  const relay = await Relay.start();
  t.teardown(() => relay.close());
  const { signal } = new AbortController();
  const common = {
    relay: relay.url,
    appId: 'x',
    random: nodeRandom,
    clock: systemClock,
    dialler: directDialler,
    signal,
  };
  const connect = (listener: RelayListener) => openRelayLink(relay.url, listener, common);
  const stranger = await Wormhole.open({ ...common, connect });
  const joining = joinByCode(parseWormholeCode(await stranger.code()), {
    ...common,
    report: () => Promise.resolve(),
  });
  joining.catch(() => undefined);
  await stranger.send('{"abilities":{"client-v1":{}}}');
  await t.rejects(joining, { code: 'ERR_INVITATION', message: /no server of this kind/ });
  await stranger.close('happy');
});

t.test('nobody there, and nobody coming', async (t) => {
  const relay = await Relay.start();
  const { url } = relay;
  const report = (): Promise<void> => Promise.resolve();
  const clock = new ManualClock();
  const common = { relay: url, appId: 'x', random: nodeRandom, clock, dialler: directDialler, report };
  let tellCode = (): void => undefined;
  const shown = new Promise<void>((resolve) => {
    tellCode = resolve;
  });
  const waiting = invite(settings, {
    ...common,
    signal: new AbortController().signal,
    report: (line) => {
      if (line.startsWith('Invite')) tellCode();
      return Promise.resolve();
    },
  });
  waiting.catch(() => undefined);
  await shown;
  clock.advance(3_600_000);
  await t.rejects(waiting, { code: 'ERR_TIMEOUT' }, 'after an hour');
  await t.rejects(invite(settings, { ...common, signal: AbortSignal.abort() }), { code: 'ERR_CANCELLED' });
  await relay.close();
  await t.rejects(
    invite(settings, { ...common, signal: new AbortController().signal }),
    { code: 'ERR_RELAY', message: /--wormhole-server/ },
    'a server that is not there',
  );
});
