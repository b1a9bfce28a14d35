/** What was made of the last few keys: to prepare a key costs as much as to verify with it. */

/** So many keys are kept ready, the one unused longest goes first. */
const KEYS_MAX = 64;

/** Values by the key that they were made of. They hold secrets as the key does, and live as long as the provider. */
export class KeyCache<Value> {
  readonly #digestOf: (key: Uint8Array) => Uint8Array;
  readonly #make: (key: Uint8Array) => Value;
  readonly #values = new Map<string, Value>();

  /** @param digestOf - a hash that tells keys apart. @param make - may throw; nothing is kept then. */
  constructor(digestOf: (key: Uint8Array) => Uint8Array, make: (key: Uint8Array) => Value) {
    this.#digestOf = digestOf;
    this.#make = make;
  }

  get(key: Uint8Array): Value {
    const name = String.fromCharCode(...this.#digestOf(key));
    const value = this.#values.get(name) ?? this.#make(key);
    this.#values.delete(name);
    this.#values.set(name, value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > KEYS_MAX && oldest !== undefined) this.#values.delete(oldest);
    return value;
  }
}
