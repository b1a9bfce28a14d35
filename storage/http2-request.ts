/**
 * What differs in a request that came over HTTP/2. It looks like one of HTTP/1.1, but its body is better read from
 * the stream below it, and leaving that stream ends one exchange instead of a connection.
 */
import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';

/** The stream below a request; undefined over HTTP/1.1, and when the stream is gone already. */
export function http2StreamOf(request: IncomingMessage): ServerHttp2Stream | undefined {
  return 'stream' in request ? (request.stream as ServerHttp2Stream | undefined) : undefined;
}
