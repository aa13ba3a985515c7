/** Keeps the write-ahead log small, and says so where somebody who reads the database for long does not let it. */
import { type Clock, type Random, repeat } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Store } from "../store/store.ts";

const LOOK_EVERY_MS = 5_000;

/** SQLite moves the log into the database at 4 MiB, but lets the file keep its size; above this it is worth to cut it off. */
const EMPTY_ABOVE_BYTES = 16 * 1024 * 1024;

/** So much is no busy minute, but a reader that does not end. */
const WARN_ABOVE_BYTES = 64 * 1024 * 1024;

interface WalWatchInit {
  readonly store: Pick<Store, "walBytes" | "emptyWal">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class WalWatch implements Disposable {
  readonly #init: WalWatchInit;
  readonly #timer: Disposable;
  #isSaid = false;

  constructor(init: WalWatchInit) {
    this.#init = init;
    this.#timer = repeat(init.clock, init.random, LOOK_EVERY_MS, 0, () => this.#look());
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #look(): void {
    const { store, logger } = this.#init;
    try {
      const bytes = store.walBytes();
      if (bytes > EMPTY_ABOVE_BYTES) store.emptyWal();
      this.#say(store.walBytes());
    } catch (thrown) {
      // The appends say by themselves that the disk fails.
      logger.debug({ error: messageOf(thrown) }, "the write-ahead log cannot be emptied");
    }
  }

  #say(walBytes: number): void {
    const { logger } = this.#init;
    const isLong = walBytes > WARN_ABOVE_BYTES;
    if (isLong && !this.#isSaid)
      logger.warn(
        { walBytes, nextStep: "end the program that has had a read of the database open for long" },
        "the write-ahead log grows, since a reader of the database does not let it be emptied",
      );
    if (!isLong && this.#isSaid) logger.info({ walBytes }, "the write-ahead log is small again");
    this.#isSaid = isLong;
  }
}
