/** The failures of appends: which of them are reported, and when to try again. Pure. */
import { isSameFailure, type PartnerdError } from "../../base/errors.ts";

/** How often a failed append is retried if nothing else does it first. */
const RETRY_MS = 1_000;
/** If another process holds the lock of the database, or older rows go first, it may pass at any moment. */
const RETRY_SOON_MS = 50;
/** A lock that is held for longer is reported. */
const REPORT_AFTER_MS = 1_000;

/** The reaction to a failed append. */
interface AppendFailed {
  readonly retryMs: number;
  /** Undefined if it may still pass unnoticed. `isNew`: it differs from the one before. */
  readonly reported: { readonly isNew: boolean } | undefined;
}

export class AppendTrouble {
  #newest: PartnerdError | null = null;
  #reported: PartnerdError | null = null;
  #passingSinceMs: number | undefined;

  /** Why the newest append failed; null while appending works. */
  get newest(): PartnerdError | null {
    return this.#newest;
  }

  /** As `newest`, but null if the failure may pass at any moment and is new. */
  get reported(): PartnerdError | null {
    return this.#reported;
  }

  /** Monotonic time. */
  failed(error: PartnerdError, nowMs: number): AppendFailed {
    this.#newest = error;
    const isPassing = error.details.isPassing === true;
    const sinceMs = isPassing ? (this.#passingSinceMs ?? nowMs) : null;
    this.#passingSinceMs = sinceMs ?? undefined;
    const retryMs = isPassing ? RETRY_SOON_MS : RETRY_MS;
    if (sinceMs !== null && this.#reported === null && nowMs - sinceMs < REPORT_AFTER_MS) return { retryMs, reported: undefined };
    const isNew = !isSameFailure(this.#reported, error);
    this.#reported = error;
    return { retryMs, reported: { isNew } };
  }

  /** Returns whether the failure that ends here was reported. */
  succeeded(): boolean {
    const wasReported = this.#reported !== null;
    this.#newest = null;
    this.#reported = null;
    this.#passingSinceMs = undefined;
    return wasReported;
  }
}
