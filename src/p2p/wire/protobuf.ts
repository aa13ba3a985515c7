/** The fields of protobuf messages. Pure. */

/** Of protobuf: a number, 8 bytes, bytes with their length before them, 4 bytes. */
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
const MAX_VARINT_BYTES = 10;

/** Reads the fields of one message. Copies nothing. Throws what `malformed` makes of the detail. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  readonly #malformed: (detail: string) => Error;
  #at = 0;

  constructor(bytes: Uint8Array, malformed: (detail: string) => Error) {
    this.#bytes = bytes;
    this.#malformed = malformed;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The next field: a number, or bytes, which are those of a fixed-width number too. */
  field(): { readonly field: number; readonly value: Uint8Array | number } {
    const tag = this.#varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        return { field, value: this.#varint() };
      case FIXED_64:
        return { field, value: this.#take(8) };
      case BYTES:
        return { field, value: this.bytes() };
      case FIXED_32:
        return { field, value: this.#take(4) };
      default:
        throw this.#malformed("unknown type of field");
    }
  }

  /** A length, and as many bytes. */
  bytes(): Uint8Array {
    return this.#take(this.#varint());
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw this.#malformed("it ends within a field");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Numbers above 2^53 lose their low bits; none that long is used. */
  #varint(): number {
    let value = 0;
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw this.#malformed("it ends within a number");
      this.#at += 1;
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw this.#malformed("a number is too long");
  }
}
