/** Notices within a second that the database, or a file that belongs to it, is no longer where the daemon opened it. */
import { type Clock, type Random, repeat } from "../../base/clock.ts";
import { isFault, isSameFailure, type PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Store } from "../../store/store.ts";

const LOOK_EVERY_MS = 1_000;

interface FileWatchInit {
  readonly store: Pick<Store, "checkFiles">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Appends look for themselves; this is for the time between them. */
export class FileWatch implements Disposable {
  readonly #init: FileWatchInit;
  readonly #timer: Disposable;
  #failing: PartnerdError | null = null;

  constructor(init: FileWatchInit) {
    this.#init = init;
    this.#timer = repeat(init.clock, init.random, LOOK_EVERY_MS, 0, () => this.#look());
  }

  /** Null while every file is in its place. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #look(): void {
    const { store, logger } = this.#init;
    const before = this.#failing;
    try {
      store.checkFiles();
      this.#failing = null;
      if (before !== null) logger.info({}, "database is in its place again");
    } catch (thrown) {
      const error = toPartnerdError(thrown);
      this.#failing = error;
      if (isSameFailure(before, error)) return;
      if (isFault(error)) logger.fault("log", error);
      else
        logger.error(
          { error: error.message, nextStep: error.nextStep },
          "database is not in its place; nothing is logged or acknowledged",
        );
    }
  }
}
