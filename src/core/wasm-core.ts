/**
 * Loads builds of the WASM core. They stand in modules as base64, so that core opens no file; each has its own memory
 * that never grows, and is believed only after it gave known answers.
 */
import { reasonOf, TahoeError } from './errors.js';

/** What the engine offers; the language's own library, without a browser's, does not declare it. */
declare const WebAssembly: {
  validate(binary: Uint8Array): boolean;
  Module: new (binary: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

/** A number that a build exports: where something lies in its memory. */
export interface WasmAddress {
  readonly value: number;
}

/** What every build exports, beside its own. */
export interface WasmExports {
  readonly memory: { readonly buffer: ArrayBuffer };
}

/** The text of a build as WASM. */
export function wasmFromText(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Whether this engine runs a build. */
export function runsWasm(binary: Uint8Array): boolean {
  return WebAssembly.validate(binary);
}

/**
 * Loads a build and tests it.
 * @param connect - makes what the caller wants of the exports, whose types it knows from the source.
 * @param test - throws when a known answer comes out wrong.
 * @throws ERR_WASM when the engine cannot run the build or the test fails.
 */
export function loadWasm<Core>(
  binary: Uint8Array,
  connect: (exports: unknown) => Core,
  test: (core: Core) => void,
): Core {
  try {
    const core = connect(new WebAssembly.Instance(new WebAssembly.Module(binary)).exports);
    test(core);
    return core;
  } catch (cause) {
    throw new TahoeError('ERR_WASM', { reason: reasonOf(cause) }, { cause });
  }
}
