/** What is said at Tor's control port: read in any pieces, refused where it is something else, and bounded. */
import fc from 'fast-check';
import t from 'tap';
import {
  CONTROL_LINE_COUNT_MAX,
  ControlReplyReader,
  dangerouslyFormatAddOnion,
  parseAddedOnion,
  parseAuthChallenge,
  parseBootstrapProgress,
  parseProtocolInfo,
  parseSocksListeners,
} from '#wire/tor-control.js';
import type { ControlReply } from '#wire/tor-control.js';

function read(...lines: string[]): ControlReply | undefined {
  const reader = new ControlReplyReader();
  let reply: ControlReply | undefined;
  for (const line of lines) reply = reader.feed(line);
  return reply;
}

const replyOf = (...lines: string[]): ControlReply => ({ status: 250, lines });

t.test('replies are put together from lines', (t) => {
  t.strictSame(read('250 OK'), { status: 250, lines: ['OK'] });
  t.strictSame(read('250-a', '250+b=', '250 not the end', '.', '250 OK'), { status: 250, lines: ['a', 'b=', 'OK'] });
  t.strictSame(read('515 no'), { status: 515, lines: ['no'] });
  t.strictSame(read('650 HS_DESC UPLOADED', '250 OK'), replyOf('OK'), 'events are passed over');
  t.equal(read('650-x', '650 y'), undefined);
  for (const line of ['', 'HTTP/1.1 400 Bad Request', '250', '25x OK', 'SSH-2.0-x', '999 x']) {
    t.throws(() => read(line), { code: 'ERR_MESSAGE' }, line);
  }
  const endless = new ControlReplyReader();
  for (let i = 0; i < CONTROL_LINE_COUNT_MAX; i++) endless.feed('250-x');
  t.throws(() => endless.feed('250-x'), { code: 'ERR_MESSAGE', message: /too many lines/ });
  t.end();
});

t.test('no bytes make a reader do more than refuse them', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 60 }), { maxLength: 20 }), (lines) => {
      const reader = new ControlReplyReader();
      for (const line of lines) {
        try {
          const reply = reader.feed(line);
          if (reply !== undefined && !(reply.status >= 200 && reply.status < 600)) return false;
        } catch (error) {
          if ((error as { code?: string }).code !== 'ERR_MESSAGE') return false;
        }
      }
      return true;
    }),
  );
  t.end();
});

t.test('what replies hold', (t) => {
  const auth = 'AUTH METHODS=COOKIE,SAFECOOKIE COOKIEFILE="/run/tor\\"\\\\\\303\\274/c"';
  t.strictSame(parseProtocolInfo(replyOf('PROTOCOLINFO 1', auth, 'OK')), {
    methods: ['COOKIE', 'SAFECOOKIE'],
    cookieFile: '/run/tor"\\\u00c3\u00bc/c',
  });
  t.strictSame(parseProtocolInfo(replyOf('AUTH METHODS=NULL')), { methods: ['NULL'], cookieFile: undefined });
  t.throws(() => parseProtocolInfo(replyOf('OK')), { code: 'ERR_MESSAGE' });
  const [hash, nonce] = ['AB'.repeat(32), '01'.repeat(32)];
  t.strictSame(parseAuthChallenge(replyOf(`AUTHCHALLENGE SERVERHASH=${hash} SERVERNONCE=${nonce}`)), {
    serverHash: hash.toLowerCase(),
    serverNonce: nonce,
  });
  t.throws(() => parseAuthChallenge(replyOf(`AUTHCHALLENGE SERVERHASH=${hash} SERVERNONCE=00`)), {
    code: 'ERR_MESSAGE',
  });
  const id = 'a2'.repeat(28);
  t.strictSame(parseAddedOnion(replyOf(`ServiceID=${id}`, 'PrivateKey=ED25519-V3:x', 'OK')), {
    serviceId: id,
    privateKey: 'ED25519-V3:x',
  });
  t.equal(parseAddedOnion(replyOf(`ServiceID=${id}`)).privateKey, undefined);
  for (const bad of ['ServiceID=', 'ServiceID=../x', `ServiceID=${'a'.repeat(57)}`, 'OK']) {
    t.throws(() => parseAddedOnion(replyOf(bad)), { code: 'ERR_MESSAGE' }, bad);
  }
  const listeners = 'net/listeners/socks="127.0.0.1:9050" "unix:/run/tor/so\\"cks"';
  t.strictSame(parseSocksListeners(replyOf(listeners)), ['127.0.0.1:9050', 'unix:/run/tor/so"cks']);
  t.strictSame(parseSocksListeners(replyOf('net/listeners/socks=')), []);
  t.equal(parseBootstrapProgress(replyOf('status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=85 TAG=x')), 85);
  t.equal(parseBootstrapProgress(replyOf('status/bootstrap-phase=x')), undefined);
  t.end();
});

t.test('only a key is sent for a key', (t) => {
  t.equal(dangerouslyFormatAddOnion('NEW:ED25519-V3', 80, 1), 'ADD_ONION NEW:ED25519-V3 Port=80,127.0.0.1:1');
  for (const bad of ['', 'x', 'RSA1024:a b', 'ED25519-V3:a\r\nSIGNAL HALT', `A:${'b'.repeat(2049)}`]) {
    t.throws(
      () => dangerouslyFormatAddOnion(bad, 1, 1),
      { code: 'ERR_MESSAGE', message: /^the key of the onion/ },
      bad,
    );
  }
  t.end();
});
