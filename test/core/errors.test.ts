/** The catalogue as a whole, and the two tables that turn its codes into HTTP statuses. */
import t from 'tap';
import { errorCodes, isTahoeError, reasonOf, TahoeError } from '#core/errors.js';
import type { ErrorCode, ErrorFacts } from '#core/errors.js';
import { sentenceOf, statusOf } from '#gateway/reply.js';
import { refusalOf } from '#storage/status.js';

/** Facts that answer to any name, for codes whose sentence is not the point. */
const anything: unknown = new Proxy({}, { get: (_target, name) => (name === 'toString' ? undefined : 'x') });

function made<Code extends ErrorCode>(code: Code): TahoeError<Code> {
  return new TahoeError(code, anything as ErrorFacts<Code>);
}

t.test('every code makes one sentence without a gap', async (t) => {
  for (const code of errorCodes) {
    const error = made(code);
    t.ok(error.message.length > 0, code);
    t.notMatch(error.message, /undefined|\[object|\n/, code);
    t.match(error.family, /^[a-z]+$/);
  }
});

t.test('the storage server’s statuses', async (t) => {
  const statuses: Partial<Record<ErrorCode, number>> = {
    ERR_CBOR: 400,
    ERR_MESSAGE: 400,
    ERR_HEADER: 400,
    ERR_BODY_LENGTH: 400,
    ERR_CONTENT_RANGE: 416,
    ERR_RANGE: 416,
    ERR_BEYOND_ALLOCATION: 416,
    ERR_MEDIA_TYPE: 415,
    ERR_NOT_ACCEPTABLE: 406,
    ERR_SWISSNUM: 401,
    ERR_UPLOAD_SECRET: 401,
    ERR_NO_SUCH_SHARE: 404,
    ERR_NO_SUCH_UPLOAD: 404,
    ERR_METHOD: 405,
    ERR_SHARE_COMPLETE: 405,
    ERR_CONFLICTING_WRITE: 409,
    ERR_TOO_LARGE: 413,
    ERR_NO_SPACE: 507,
    ERR_CONTAINER: 500,
    ERR_DISK: 500,
    ERR_STORE_READONLY: 503,
  };
  for (const [code, status] of Object.entries(statuses))
    t.equal(refusalOf(made(code as ErrorCode)).status, status, code);
  t.match(refusalOf(new TypeError('secret detail')), { status: 500, text: /log says more/ });
});

t.test('the gateway’s statuses', async (t) => {
  const statuses: Partial<Record<ErrorCode, number>> = {
    ERR_CAPABILITY: 400,
    ERR_USAGE: 400,
    ERR_HASH: 410,
    ERR_UEB: 410,
    ERR_NO_SHARES: 410,
    ERR_NOT_ENOUGH_SHARES: 410,
    ERR_UNHAPPY: 500,
    ERR_NO_SERVERS: 500,
    ERR_CANCELLED: 503,
    ERR_NO_SPACE: 507,
  };
  for (const [code, status] of Object.entries(statuses)) t.equal(statusOf(made(code as ErrorCode)), status, code);
  t.equal(statusOf(new TypeError('x')), 500);
  t.notMatch(sentenceOf(new TypeError('secret detail')), /secret/);
});

t.test('errors are told apart by code, and anything thrown has a reason', async (t) => {
  const error = new TahoeError('ERR_HASH', { what: 'block 3' }, { cause: new Error('inner') });
  t.match(error, { code: 'ERR_HASH', family: 'integrity', message: 'block 3 does not match its hash' });
  t.ok(isTahoeError(error) && isTahoeError(error, 'ERR_UEB', 'ERR_HASH'));
  t.notOk(isTahoeError(error, 'ERR_UEB') || isTahoeError(new Error('x')) || isTahoeError('ERR_HASH'));
  t.equal(reasonOf(error), error.message);
  t.equal(reasonOf('text'), 'text');
  t.equal(reasonOf(new AggregateError([new Error('a'), new Error('b')])), 'a; b');
});
