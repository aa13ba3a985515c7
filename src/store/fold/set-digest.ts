/**
 * Digest of a set of texts, independent of their order: the sum of their SHA-256, modulo 2^256. It reveals a missing, changed or extra
 * text, but not which one. Pure.
 */
import { hash } from "node:crypto";

const MODULUS = 1n << 256n;
const DIGITS = 64;

export interface SetDigest {
  readonly count: number;
  /** 64 hexadecimal digits. */
  readonly sum: string;
}

export class SetDigester {
  #count = 0;
  #sum = 0n;

  add(item: readonly (string | number)[]): void {
    this.#take(1, BigInt(`0x${hash("sha256", JSON.stringify(item), "hex")}`));
  }

  addAll({ count, sum }: SetDigest): void {
    this.#take(count, BigInt(`0x${sum}`));
  }

  digest(): SetDigest {
    return { count: this.#count, sum: this.#sum.toString(16).padStart(DIGITS, "0") };
  }

  #take(count: number, sum: bigint): void {
    this.#count += count;
    this.#sum = (this.#sum + sum) % MODULUS;
  }
}
