/** The reference's CHK vectors once more, over the portable provider. */
import { usePortableCrypto } from '../fixtures/crypto.js';

await usePortableCrypto();
await import('../core/chk-vectors.test.js');
