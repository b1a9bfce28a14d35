/** Cuts what a client sends into packets, in whatever pieces it comes. Holds at most one packet. */
import { concat } from '#core/bytes.js';
import { TahoeError } from '#core/errors.js';
import { PACKET_SIZE_MAX } from './requests.js';

const LENGTH_SIZE = 4;

/** Takes pieces, gives packets. */
export class PacketSplitter {
  #held: Uint8Array[] = [];
  #heldSize = 0;
  /** Of the packet that is awaited, with its length field; undefined while that is not there. */
  #wanted: number | undefined;

  /**
   * The packets that are complete with this piece, without their lengths. They share its memory.
   * @throws ERR_MESSAGE for a length that no packet has; nothing can be read after that.
   */
  push(piece: Uint8Array): Uint8Array[] {
    this.#held.push(piece);
    this.#heldSize += piece.length;
    const packets: Uint8Array[] = [];
    for (let packet = this.#take(); packet !== undefined; packet = this.#take()) packets.push(packet);
    return packets;
  }

  #take(): Uint8Array | undefined {
    if (this.#heldSize < (this.#wanted ?? LENGTH_SIZE)) return undefined;
    const bytes = this.#held.length === 1 && this.#held[0] !== undefined ? this.#held[0] : concat(...this.#held);
    this.#held = [bytes];
    this.#wanted ??= LENGTH_SIZE + lengthOf(bytes);
    if (bytes.length < this.#wanted) return undefined;
    const packet = bytes.subarray(LENGTH_SIZE, this.#wanted);
    this.#held = [bytes.subarray(this.#wanted)];
    this.#heldSize -= this.#wanted;
    this.#wanted = undefined;
    return packet;
  }
}

function lengthOf(bytes: Uint8Array): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length === 0 || length > PACKET_SIZE_MAX) {
    throw new TahoeError('ERR_MESSAGE', { what: 'SFTP packet', reason: `its length is ${String(length)}` });
  }
  return length;
}
