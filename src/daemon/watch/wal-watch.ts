/** Keeps the write-ahead log small, and reports a long-running reader that prevents this. */
import { type Clock, type Random, repeat } from "../../base/clock.ts";
import { isFault, messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Store } from "../../store/store.ts";

const LOOK_EVERY_MS = 5_000;

/** SQLite checkpoints at 4 MiB but keeps the file's size; above this, truncating it is worthwhile. */
const EMPTY_ABOVE_BYTES = 16 * 1024 * 1024;

/** A busy minute does not produce this much; a reader that never finishes does. */
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
      if (isFault(thrown)) logger.fault("log", thrown);
      // A failing disk is already reported by the appends.
      else logger.debug({ error: messageOf(thrown) }, "cannot empty the write-ahead log");
    }
  }

  #say(walBytes: number): void {
    const { logger } = this.#init;
    const isLong = walBytes > WARN_ABOVE_BYTES;
    if (isLong && !this.#isSaid)
      logger.warn(
        { walBytes, nextStep: "stop the program that keeps a read transaction open on the database" },
        "write-ahead log keeps growing because a long read blocks it",
      );
    if (!isLong && this.#isSaid) logger.info({ walBytes }, "write-ahead log is small again");
    this.#isSaid = isLong;
  }
}
