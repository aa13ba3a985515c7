/** Runs what a store does in its database, and keeps the committed state and the head in step with it. */
import type { Database } from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import type { LogHead } from "../model/log-head.ts";
import { storeFailure } from "../sql/failure.ts";
import type { CommittedState } from "./committed-state.ts";

/** Called around every commit, for a simulator that makes commits fail or ends the process there. */
export interface CommitHooks {
  /** What it throws undoes the write. */
  beforeCommit(): void;
  /** The write is on the disk. Throws only where the process ends here: what is in memory no longer follows. */
  afterCommit(): void;
}

/** Every method throws a PartnerdError that says what was being done. A transaction that fails leaves nothing behind. */
export class TransactionRunner {
  readonly #database: Database;
  readonly #committed: CommittedState;
  readonly #onHead: (head: LogHead) => void;
  readonly #hooks: CommitHooks | undefined;
  readonly #transaction;

  /** `onHead` is called with the newest row of each transaction that appended any, once it is on the disk. */
  constructor(database: Database, committed: CommittedState, onHead: (head: LogHead) => void, hooks?: CommitHooks) {
    this.#database = database;
    this.#committed = committed;
    this.#onHead = onHead;
    this.#hooks = hooks;
    this.#transaction = database.transaction(<Result>(work: () => Result): Result => work());
  }

  /** `doing` completes "cannot …". */
  run<Result>(doing: string, work: () => Result): Result {
    if (!this.#database.open) throw new PartnerdError("database_failed", `cannot ${doing}: the store is closed`);
    try {
      const result = work();
      const appended = this.#committed.commit();
      if (appended !== undefined) this.#onHead(appended);
      return result;
    } catch (thrown) {
      this.#committed.rollback();
      throw storeFailure(`cannot ${doing}`, thrown);
    }
  }

  /** All or nothing. Takes the write lock at once: a read that turns into a write fails where another program has written meanwhile. */
  write<Result>(doing: string, work: () => Result): Result {
    return this.run(doing, () => {
      const result = this.#transaction.immediate(() => {
        const written = work();
        this.#hooks?.beforeCommit();
        return written;
      }) as Result;
      this.#hooks?.afterCommit();
      return result;
    });
  }

  /** All that `work` reads is of one state of the database. */
  read<Result>(doing: string, work: () => Result): Result {
    return this.run(doing, () => this.#transaction(work) as Result);
  }
}
