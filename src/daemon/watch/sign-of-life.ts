/**
 * A file whose modification time is the daemon's last sign of life. After a crash, the next start uses it as the end of the streams
 * that the log still holds open. Only the time is renewed, so that this works on a full disk too.
 */
import { closeSync, openSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { type Clock, type Random, repeat } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { SIGN_OF_LIFE_EVERY_MS } from "../../store/write/previous-run.ts";

const NAME = "oc-partnerd.alive";

interface SignOfLifeInit {
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The last sign of life of the daemon of this data directory, wall ms; null if there is none. */
export function lastAliveMsOf(directory: string): number | null {
  return statSync(join(directory, NAME), { throwIfNoEntry: false })?.mtimeMs ?? null;
}

export class SignOfLife implements Disposable {
  /** The last sign of life of the previous run, wall ms; null if there is none. */
  readonly previousMs: number | null;
  readonly #init: SignOfLifeInit;
  readonly #path: string;
  readonly #timer: Disposable;
  #isFailing = false;

  constructor(init: SignOfLifeInit) {
    this.#init = init;
    this.#path = join(init.directory, NAME);
    this.previousMs = lastAliveMsOf(init.directory);
    this.#renew();
    this.#timer = repeat(init.clock, init.random, SIGN_OF_LIFE_EVERY_MS, 0, () => this.#renew());
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #renew(): void {
    const { clock, logger } = this.#init;
    try {
      const seconds = clock.wallMs() / 1_000;
      closeSync(openSync(this.#path, "a", 0o600));
      utimesSync(this.#path, seconds, seconds);
      this.#isFailing = false;
    } catch (thrown) {
      if (!this.#isFailing)
        logger.warn(
          { path: this.#path, error: messageOf(thrown), nextStep: "make the data directory writable for the daemon's user" },
          "cannot renew the sign of life; after a crash, the log will not tell how long streams were open",
        );
      this.#isFailing = true;
    }
  }
}
