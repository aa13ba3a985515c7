/** Bounds the work and the memory of one connection. Strangers also share a budget, so that many of them cost no more than a few. */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type Rate, TokenBucket } from "../../base/rate/token-bucket.ts";

/** The reading side of a connection. */
export interface Pausable {
  /** Stops reading from the network. */
  pause(): void;
  resume(): void;
}

/** Before the handshake is complete: handshakes have about 1 KiB, and RSA keys a few more. */
const MAX_HANDSHAKE_BYTES = 256 * 1024;
/** One connection. A far end that writes a challenge of 1 MiB before it reads leaves 768 KiB of the echo unsent. */
const MAX_HELD_BYTES = 1024 * 1024;
/** A stranger may hold this much always, and more while strangers together hold little. */
const MAX_HELD_BY_STRANGER_BYTES = 128 * 1024;
const MAX_HELD_BY_STRANGERS_BYTES = 16 * 1024 * 1024;
/** Pieces in which bytes may arrive before they make a message; each has an overhead. A message has at most 64 KiB. */
const MAX_PIECES_PER_MESSAGE = 512;
/** A challenge of 1 MiB passes at full speed. Heartbeats need about 100 bytes a second. */
const WORK_PER_CONNECTION: Rate = { perSecond: 1024 * 1024, burst: 2 * 1024 * 1024 };
/** Keeps strangers to a fraction of a core, however many they are. */
const WORK_OF_STRANGERS: Rate = { perSecond: 4 * 1024 * 1024, burst: 4 * 1024 * 1024 };
/** A pause shorter than this is not worth a timer; the debt stays. */
const MIN_PAUSE_MS = 20;
/** While paused, the end of a connection goes unnoticed. */
const MAX_PAUSE_MS = 1_000;

/** The common budget of all strangers. */
export class StrangersBudget {
  readonly work = new TokenBucket(WORK_OF_STRANGERS);
  heldBytes = 0;
}

export interface ConnectionMeter {
  /** A complete message has arrived and been decrypted, so the handshake is over. */
  decrypted(): void;
  /** Charges work, in bytes that cost as much to receive. Stops reading for a while if there was too much of it. */
  spend(bytes: number): void;
  /** Replaces the number of bytes that the connection makes us hold. Throws PartnerdError `buffer_full` if that is too much. */
  hold(bytes: number): void;
}

export interface MeterInit {
  readonly connection: Pausable;
  readonly clock: Clock;
  readonly strangers: StrangersBudget;
  /** Asked each time: a stranger can become a partner. False until the peer has proved who it is. */
  readonly isStranger: () => boolean;
}

/** Dispose it when the connection has closed. */
export class Meter implements ConnectionMeter, Disposable {
  readonly #init: MeterInit;
  readonly #work = new TokenBucket(WORK_PER_CONNECTION);
  #receivedBytes = 0;
  #pieces = 0;
  #isHandshaking = true;
  #heldBytes = 0;
  #pause: Disposable | undefined;

  constructor(init: MeterInit) {
    this.#init = init;
  }

  /** True if the far end has not sent anything yet. */
  get isSilent(): boolean {
    return this.#receivedBytes === 0;
  }

  /** Bytes have arrived from the network, still encrypted. Throws PartnerdError `buffer_full` if they lead nowhere. */
  received(bytes: number): void {
    this.#receivedBytes += bytes;
    this.#pieces += 1;
    if (this.#isHandshaking && this.#receivedBytes > MAX_HANDSHAKE_BYTES)
      throw new PartnerdError("buffer_full", `more than ${MAX_HANDSHAKE_BYTES} bytes before the handshake was complete`);
    if (this.#pieces > MAX_PIECES_PER_MESSAGE)
      throw new PartnerdError("buffer_full", `a message came in more than ${MAX_PIECES_PER_MESSAGE} pieces`);
    this.spend(bytes);
  }

  decrypted(): void {
    this.#isHandshaking = false;
    this.#pieces = 0;
  }

  spend(bytes: number): void {
    const { clock, strangers, isStranger } = this.#init;
    const nowMs = clock.monotonicMs();
    const ownDebtMs = this.#work.spend(bytes, nowMs);
    const debtMs = isStranger() ? Math.max(ownDebtMs, strangers.work.spend(bytes, nowMs)) : ownDebtMs;
    if (debtMs >= MIN_PAUSE_MS) this.#pauseFor(Math.min(debtMs, MAX_PAUSE_MS));
  }

  hold(bytes: number): void {
    const { strangers, isStranger } = this.#init;
    const shared = isStranger() ? bytes : 0;
    strangers.heldBytes += shared - this.#heldBytes;
    this.#heldBytes = shared;
    if (bytes > MAX_HELD_BYTES) throw new PartnerdError("buffer_full", `${bytes} bytes wait on one connection`);
    if (shared > MAX_HELD_BY_STRANGER_BYTES && strangers.heldBytes > MAX_HELD_BY_STRANGERS_BYTES)
      throw new PartnerdError("buffer_full", `${strangers.heldBytes} bytes wait on connections of strangers`);
  }

  [Symbol.dispose](): void {
    this.#init.strangers.heldBytes -= this.#heldBytes;
    this.#heldBytes = 0;
    this.#pause?.[Symbol.dispose]();
  }

  #pauseFor(ms: number): void {
    if (this.#pause !== undefined) return;
    const { connection, clock } = this.#init;
    connection.pause();
    this.#pause = clock.schedule(ms, () => {
      this.#pause = undefined;
      connection.resume();
    });
  }
}
