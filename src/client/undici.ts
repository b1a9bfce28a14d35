/**
 * What is used of undici, the HTTP client, and how it is kept from taking more of a process than that.
 *
 * Its parts are loaded one by one: all of it takes 8 MiB and 50 ms more at every start. And it parses replies in WebAssembly,
 * most of which is one large function: when V8 optimises that, it takes a fifth of a second of a processor, and for as long
 * 29 MiB, just when a node has started and found its servers.
 * @see undici-parts.d.ts
 */
import { setFlagsFromString } from 'node:v8';
import type { buildConnector, Dispatcher } from 'undici';
import request from 'undici/lib/api/api-request.js';

export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as Pool } from 'undici/lib/dispatcher/pool.js';
export { default as buildConnector } from 'undici/lib/core/connect.js';
export { default as errors } from 'undici/lib/core/errors.js';
export type { Dispatcher } from 'undici';

/** What `Dispatcher.request` does where all of undici is loaded. */
export function requestOver(
  dispatcher: Dispatcher,
  options: Dispatcher.RequestOptions,
): Promise<Dispatcher.ResponseData> {
  return request.call(dispatcher, options);
}

/** How V8 compiles WebAssembly: each function when it is called first, and the busy ones once more, with care. */
const CAREFUL = ['wasm-lazy-compilation', 'wasm-dynamic-tiering', 'wasm-tier-up'] as const;
let isCompiled = false;

/** `callback`, for whoever hands undici a socket: with the first it compiles its parser, once and quickly. */
export function withPlainParser(callback: buildConnector.Callback): buildConnector.Callback {
  return (...result) => {
    const [error] = result;
    if (isCompiled || error !== null) {
      callback(...result);
      return;
    }
    isCompiled = true;
    for (const flag of CAREFUL) setFlagsFromString(`--no-${flag}`);
    try {
      callback(...result);
    } finally {
      for (const flag of CAREFUL) setFlagsFromString(`--${flag}`);
    }
  };
}
