/** Who may do what: every endpoint with each of its secrets missing, wrong, malformed, or one too many. */
import t from 'tap';
import type { Test } from 'tap';
import {
  dangerouslyFormatAuthorization,
  encodeAllocateRequest,
  encodeCorruptRequest,
  storagePath,
} from '#wire/storage.js';
import type { SecretKind } from '#wire/storage.js';
import { encodeReadTestWriteRequest, mutablePath } from '#wire/storage-mutable.js';
import { concat } from '#core/bytes.js';
import { vectors } from '#test/fixtures/mutable-store.js';
import { seededBytes } from '#test/fixtures/crypto.js';
import { otherIndex, otherSecret, storageIndex } from '#test/fixtures/share-store.js';
import {
  allocationSecrets,
  cborType,
  leaseSecretKinds,
  rightSecrets,
  secretHeader,
  StorageTalk,
  writeSecrets,
} from '#test/fixtures/storage-talk.js';
import type { Header, MakeProtocolSubject, ProtocolSubject } from '#test/fixtures/storage-talk.js';

const share = seededBytes('share', 200);
const slotIndex = seededBytes('slot index', 16);

/** A request that would succeed. */
interface GoodRequest {
  readonly method: string;
  readonly path: string;
  readonly kinds: readonly SecretKind[];
  readonly headers: readonly Header[];
  readonly body?: Uint8Array;
}

// Share 0 is complete, share 1 is being uploaded.
const endpoints: readonly GoodRequest[] = [
  { method: 'GET', path: storagePath.version, kinds: [], headers: [] },
  { method: 'PUT', path: storagePath.lease(storageIndex), kinds: leaseSecretKinds, headers: [] },
  {
    method: 'POST',
    path: storagePath.allocate(otherIndex),
    kinds: allocationSecrets,
    headers: [cborType],
    body: encodeAllocateRequest({ shareNumbers: new Set([0]), allocatedSize: 10 }),
  },
  {
    method: 'PATCH',
    path: storagePath.share(storageIndex, 1),
    kinds: ['upload-secret'],
    headers: [['Content-Range', 'bytes 0-199/*']],
    body: share,
  },
  { method: 'PUT', path: storagePath.abort(storageIndex, 1), kinds: ['upload-secret'], headers: [] },
  { method: 'GET', path: storagePath.shares(storageIndex), kinds: [], headers: [] },
  { method: 'GET', path: storagePath.share(storageIndex, 0), kinds: [], headers: [] },
  {
    method: 'POST',
    path: storagePath.corrupt(storageIndex, 0),
    kinds: [],
    headers: [cborType],
    body: encodeCorruptRequest('why'),
  },
  // Mutable share 0 is at the third index.
  {
    method: 'POST',
    path: mutablePath.readTestWrite(slotIndex),
    kinds: writeSecrets,
    headers: [cborType],
    body: concat(...encodeReadTestWriteRequest(vectors({ 0: { newLength: 0 } }))),
  },
  { method: 'GET', path: mutablePath.shares(slotIndex), kinds: [], headers: [] },
  { method: 'GET', path: mutablePath.share(slotIndex, 0), kinds: [], headers: [] },
  {
    method: 'POST',
    path: mutablePath.corrupt(slotIndex, 0),
    kinds: [],
    headers: [cborType],
    body: encodeCorruptRequest('why'),
  },
];

async function prepare(
  makeSubject: MakeProtocolSubject,
  t: Test,
): Promise<{ subject: ProtocolSubject; talk: StorageTalk }> {
  const subject = await makeSubject(t);
  const talk = new StorageTalk(subject);
  await talk.store(storageIndex, 0, share);
  await talk.allocate(storageIndex, [1], share.length);
  await talk.readTestWrite(slotIndex, vectors({ 0: { writes: [{ offset: 0, data: share }] } }));
  return { subject, talk };
}

/** Nothing of what was refused has left a trace. */
async function checkUntouched(t: Test, subject: ProtocolSubject, before: string | undefined): Promise<void> {
  if (before !== undefined) t.equal(await subject.snapshot?.(), before, 'the files are the same');
  const talk = new StorageTalk(subject);
  t.strictSame(await talk.shares(storageIndex), [0]);
  t.strictSame(await talk.shares(otherIndex), []);
  t.strictSame(await talk.mutableShares(slotIndex), [0]);
  t.equal((await talk.write(storageIndex, 1, 0, share.subarray(0, 50))).status, 200, 'the upload is as it was');
  t.strictSame(await talk.allocate(otherIndex, [0], 10, otherSecret), { alreadyHave: [], allocated: [0] });
}

/** Runs every test of authority. */
export function authoritySuite(makeSubject: MakeProtocolSubject): void {
  t.test('without the right swissnum nothing is answered, whatever else is right', async (t) => {
    const { subject } = await prepare(makeSubject, t);
    const before = await subject.snapshot?.();
    const right = dangerouslyFormatAuthorization(subject.swissnum);
    const wrong: readonly (string | undefined)[] = [
      undefined,
      '',
      'Tahoe-LAFS',
      'Tahoe-LAFS ',
      dangerouslyFormatAuthorization(`${subject.swissnum}x`),
      dangerouslyFormatAuthorization(subject.swissnum.slice(1)),
      dangerouslyFormatAuthorization('x'.repeat(subject.swissnum.length)),
      right.toLowerCase(),
      right.replace('Tahoe-LAFS', 'Basic'),
      `${right}=`,
      subject.swissnum,
    ];
    for (const endpoint of endpoints) {
      for (const value of wrong) {
        const authorization: Header[] = value === undefined ? [] : [['Authorization', value]];
        const headers = [...authorization, ...rightSecrets(endpoint.kinds), ...endpoint.headers];
        const reply = await subject.request({ ...endpoint, headers });
        t.equal(reply.status, 401, `${endpoint.method} ${endpoint.path}`);
        t.equal(Buffer.from(reply.body).toString(), 'Wrong Authorization header');
      }
    }
    await checkUntouched(t, subject, before);
  });

  t.test('a swissnum that is sent twice is refused', async (t) => {
    const { subject } = await prepare(makeSubject, t);
    if (subject.isReference) {
      t.comment('ours: the reference looks at one of them');
      return;
    }
    const right: Header = ['Authorization', dangerouslyFormatAuthorization(subject.swissnum)];
    for (const second of [right, ['Authorization', 'Tahoe-LAFS AAAA']] as const) {
      for (const headers of [
        [right, second],
        [second, right],
      ]) {
        const reply = await subject.request({ method: 'GET', path: storagePath.version, headers });
        t.equal(reply.status, 400);
      }
    }
  });

  t.test('each endpoint takes exactly its secrets', async (t) => {
    const { subject, talk } = await prepare(makeSubject, t);
    const before = await subject.snapshot?.();
    for (const { body, headers, kinds, method, path } of endpoints) {
      const attempts = wrongSecrets(kinds, subject.isReference);
      for (const [why, secrets] of attempts) {
        const reply = await talk.send(method, path, [...secrets, ...headers], body);
        t.equal(reply.status, 400, `${method} ${path}: ${why}`);
        // ours: the reference repeats the headers that it refuses.
        if (subject.isReference) continue;
        t.notMatch(Buffer.from(reply.body).toString(), /[A-Za-z0-9+/]{20}/, 'no secret is repeated');
      }
    }
    await checkUntouched(t, subject, before);
  });

  t.test('another upload secret opens nothing', async (t) => {
    const { subject, talk } = await prepare(makeSubject, t);
    const before = await subject.snapshot?.();
    const secrets = rightSecrets(['upload-secret'], { secret: otherSecret });
    const range: Header = ['Content-Range', 'bytes 0-199/*'];
    t.equal((await talk.send('PATCH', storagePath.share(storageIndex, 1), [...secrets, range], share)).status, 401);
    t.equal((await talk.send('PUT', storagePath.abort(storageIndex, 1), secrets)).status, 401);
    await checkUntouched(t, subject, before);
  });

  t.test('swapped or foreign lease secrets make a lease of their own and harm none', async (t) => {
    const { subject, talk } = await prepare(makeSubject, t);
    const [renew, cancel] = [seededBytes('cancel first', 32), seededBytes('renew first', 32)];
    const swapped = [secretHeader('lease-renew-secret', renew), secretHeader('lease-cancel-secret', cancel)];
    t.equal((await talk.send('PUT', storagePath.lease(storageIndex), swapped)).status, 204);
    t.strictSame(await new StorageTalk(subject).shares(storageIndex), [0]);
  });
}

/** Every way to give an endpoint the wrong set of secrets. */
function wrongSecrets(kinds: readonly SecretKind[], isReference: boolean): [why: string, headers: Header[]][] {
  const right = rightSecrets(kinds);
  const foreign = (['upload-secret', 'write-enabler', 'lease-renew-secret'] as const).filter(
    (kind) => !kinds.includes(kind),
  );
  const attempts: [string, Header[]][] = [
    ...foreign.map((kind): [string, Header[]] => [`${kind} too many`, [...right, ...rightSecrets([kind])]]),
    ['an unknown kind', [...right, ['X-Tahoe-Authorization', 'nonsense AAAA']]],
    ['no kind', [...right, ['X-Tahoe-Authorization', 'AAAA']]],
    ['nothing in it', [...right, ['X-Tahoe-Authorization', '']]],
  ];
  for (const [index, kind] of kinds.entries()) {
    const others = right.filter((_, i) => i !== index);
    const replaced = (value: string): Header[] => [...others, ['X-Tahoe-Authorization', value]];
    attempts.push(
      [`${kind} missing`, others],
      [`${kind} empty`, replaced(`${kind} `)],
      [`${kind} bare`, replaced(kind)],
    );
    attempts.push([`${kind} under another name`, replaced(`x${kind} AAAA`)]);
    if (!isReference) {
      attempts.push([`${kind} twice`, [...right, ...right.slice(index, index + 1)]]);
      attempts.push([`${kind} in bad base64`, replaced(`${kind} ${'*'.repeat(43)}=`)]);
      attempts.push([`${kind} without padding`, replaced(`${kind} ${'A'.repeat(43)}`)]);
    }
    // The reference keeps a write enabler of any length, padded or cut, which then never matches.
    if (kind === 'upload-secret' || (kind === 'write-enabler' && isReference)) continue;
    for (const size of [1, 31, 33, 64]) {
      attempts.push([
        `${kind} of ${String(size)} bytes`,
        [...others, secretHeader(kind, new Uint8Array(size).fill(1))],
      ]);
    }
  }
  return attempts;
}
