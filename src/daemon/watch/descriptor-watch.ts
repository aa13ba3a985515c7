/** Notices when the process runs out of file descriptors, and keeps a few back so that health checks are still answered then. */
import { closeSync, openSync } from "node:fs";
import { type Clock, type Random, repeat } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import { RAISE_LIMIT } from "./descriptor-limit.ts";

const CHECK_MS = 1_000;
/** Enough for a kubelet, a Prometheus and an operator at the same time. */
const SPARE_DESCRIPTORS = 16;

/** Opens and closes files of any kind: all count against the same limit. */
interface Files {
  /** A descriptor. Throws if no more can be opened. */
  open(): number;
  close(descriptor: number): void;
}

/** EMFILE or ENFILE is thrown; a system without /dev/null would report to be exhausted. */
const SYSTEM_FILES: Files = { open: () => openSync("/dev/null", "r"), close: closeSync };

interface WatchInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: those of this process. */
  readonly files?: Files;
}

/** Dispose it to stop watching. */
export class DescriptorWatch implements Disposable {
  readonly #logger: Logger;
  readonly #files: Files;
  readonly #spare: number[] = [];
  readonly #timer: Disposable;
  #exhausted = false;

  constructor({ clock, random, logger, files = SYSTEM_FILES }: WatchInit) {
    this.#logger = logger;
    this.#files = files;
    this.#keepBack();
    this.#timer = repeat(clock, random, CHECK_MS, 0, () => this.#check());
  }

  /** True while no file can be opened beyond those kept back. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#release();
  }

  #check(): void {
    // Others may have taken the released ones, so first take all of them back.
    const exhausted = !this.#keepBack() || !this.#canOpen();
    if (exhausted) this.#release();
    if (exhausted === this.#exhausted) return;
    this.#exhausted = exhausted;
    if (exhausted) this.#logger.error({ nextStep: RAISE_LIMIT }, "out of file descriptors");
    else this.#logger.info({}, "file descriptors are available again");
  }

  #keepBack(): boolean {
    while (this.#spare.length < SPARE_DESCRIPTORS) {
      const descriptor = this.#tryOpen();
      if (descriptor === undefined) return false;
      this.#spare.push(descriptor);
    }
    return true;
  }

  #release(): void {
    for (const descriptor of this.#spare.splice(0)) this.#files.close(descriptor);
  }

  #canOpen(): boolean {
    const descriptor = this.#tryOpen();
    if (descriptor !== undefined) this.#files.close(descriptor);
    return descriptor !== undefined;
  }

  #tryOpen(): number | undefined {
    try {
      return this.#files.open();
    } catch {
      return undefined;
    }
  }
}
