/** Runs the store's work in its database, and keeps the committed state in step with it. */
import type { Database } from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { storeFailure } from "../sql/failure.ts";
import type { CommittedState } from "./committed-state.ts";
import type { Repetitions } from "./repetitions.ts";

/** Called around every commit, so that a simulator can fail commits or kill the process. */
export interface CommitHooks {
  /** Throwing undoes the write. */
  beforeCommit(): void;
  /** The write is on the disk. May only throw to kill the process here: memory no longer matches the disk. */
  afterCommit(): void;
}

/** Every method throws a PartnerdError that says what failed. A failed transaction leaves no changes. */
export class TransactionRunner {
  readonly #database: Database;
  readonly #committed: CommittedState;
  readonly #repetitions: Repetitions;
  readonly #onAppended: (entries: readonly LogEntry[]) => void;
  readonly #hooks: CommitHooks | undefined;
  readonly #transaction;

  /** `onAppended` is called with the rows of each transaction that appended any, once they are on the disk. Must not throw. */
  constructor(
    database: Database,
    committed: CommittedState,
    repetitions: Repetitions,
    onAppended: (entries: readonly LogEntry[]) => void,
    hooks?: CommitHooks,
  ) {
    this.#database = database;
    this.#committed = committed;
    this.#repetitions = repetitions;
    this.#onAppended = onAppended;
    this.#hooks = hooks;
    this.#transaction = database.transaction(<Result>(work: () => Result): Result => work());
  }

  /** `doing` completes "cannot …". */
  run<Result>(doing: string, work: () => Result): Result {
    if (!this.#database.open) throw new PartnerdError("database_failed", `cannot ${doing}: the store is closed`);
    const { result, appended } = this.#attempt(doing, work);
    if (appended.length > 0) this.#onAppended(appended);
    return result;
  }

  #attempt<Result>(doing: string, work: () => Result) {
    try {
      const result = work();
      this.#repetitions.commit();
      return { result, appended: this.#committed.commit() };
    } catch (thrown) {
      this.#repetitions.rollback();
      this.#committed.rollback();
      throw storeFailure(`cannot ${doing}`, thrown);
    }
  }

  /** All or nothing. Takes the write lock at once: a read transaction cannot become a write if another process has written since. */
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

  /** Everything that `work` reads is from one snapshot of the database. */
  read<Result>(doing: string, work: () => Result): Result {
    return this.run(doing, () => this.#transaction(work) as Result);
  }
}
