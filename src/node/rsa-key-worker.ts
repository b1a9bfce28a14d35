/** The thread that makes one RSA key with the portable provider, and ends. */
import { parentPort } from 'node:worker_threads';
import { systemRandom } from '#core/native-crypto.js';
import { loadModularArithmetic } from '#core/portable/modular.js';
import { generatePortableKey } from '#core/portable/rsa-key-generation.js';

parentPort?.postMessage(generatePortableKey(loadModularArithmetic(), systemRandom));
