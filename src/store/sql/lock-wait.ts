/** Bounds how long SQLite waits for the locks of other processes, because each wait blocks the event loop. */
import type { Database } from "better-sqlite3";
import type { Clock } from "../../base/clock.ts";

const WINDOW_MS = 1_000;

/** All waits within a second together take at most `mostMs`. When they have, a locked database fails at once. */
export class LockWait {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #mostMs: number;
  /** The timeout that SQLite has. */
  #timeoutMs: number;
  #leftMs: number;
  #windowEndsMs = Number.NEGATIVE_INFINITY;
  #beganMs: number | undefined;

  /** `mostMs` is the timeout that `database` was opened with. */
  constructor(database: Database, clock: Clock, mostMs: number) {
    this.#database = database;
    this.#clock = clock;
    this.#mostMs = mostMs;
    this.#timeoutMs = mostMs;
    this.#leftMs = mostMs;
  }

  /** Call before a lock may be needed. */
  begin(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#windowEndsMs) {
      this.#leftMs = this.#mostMs;
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    const timeoutMs = Math.floor(this.#leftMs);
    if (timeoutMs !== this.#timeoutMs) {
      this.#database.pragma(`busy_timeout = ${timeoutMs}`);
      this.#timeoutMs = timeoutMs;
    }
    this.#beganMs = nowMs;
  }

  /** Call as soon as the lock is there, or was refused. Later calls do nothing. */
  end(): void {
    if (this.#beganMs === undefined) return;
    this.#leftMs = Math.max(0, this.#leftMs - (this.#clock.monotonicMs() - this.#beganMs));
    this.#beganMs = undefined;
  }
}
