/** Runs the store's work in its database, and keeps the committed state in step with it. */
import type { Database } from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { CutFiles } from "../sql/cut-files.ts";
import { storeFailure } from "../sql/failure.ts";
import type { LockWait } from "../sql/lock-wait.ts";
import type { OpenFiles } from "../sql/open-files.ts";
import type { CommittedState } from "./committed-state.ts";
import type { Repetitions } from "./repetitions.ts";

/** Called around every commit, so that a simulator can fail commits or kill the process. */
export interface CommitHooks {
  /** Throwing undoes the write. */
  beforeCommit(): void;
  /** The write is on the disk. May only throw to kill the process here: memory no longer matches the disk. */
  afterCommit(): void;
}

interface TransactionRunnerInit {
  readonly database: Database;
  readonly lockWait: LockWait;
  /** Checked before each commit. */
  readonly files: OpenFiles;
  readonly committed: CommittedState;
  readonly repetitions: Repetitions;
  /** Called with the rows of each transaction that appended any, once they are on the disk. Must not throw. */
  readonly onAppended: (entries: readonly LogEntry[]) => void;
  readonly hooks?: CommitHooks | undefined;
}

/** Every method throws a PartnerdError that says what failed. A failed transaction leaves no changes. */
export class TransactionRunner {
  readonly #init: TransactionRunnerInit;
  readonly #transaction;
  readonly #cutFiles: CutFiles;

  constructor(init: TransactionRunnerInit) {
    this.#init = init;
    this.#cutFiles = new CutFiles(init.database);
    this.#transaction = init.database.transaction(<Result>(work: () => Result): Result => work());
  }

  /** Throws `database_moved` if a file is not in its place, or was truncated. */
  checkFiles(): void {
    this.#init.files.check();
    this.#cutFiles.check();
  }

  /** `doing` completes "cannot …". */
  run<Result>(doing: string, work: () => Result): Result {
    const { database, onAppended } = this.#init;
    if (!database.open) throw new PartnerdError("database_failed", `cannot ${doing}: the store is closed`);
    const { result, appended } = this.#attempt(doing, work);
    if (appended.length > 0) onAppended(appended);
    return result;
  }

  #attempt<Result>(doing: string, work: () => Result) {
    const { lockWait, committed, repetitions } = this.#init;
    try {
      lockWait.begin();
      const result = work();
      repetitions.commit();
      return { result, appended: committed.commit() };
    } catch (thrown) {
      lockWait.end();
      repetitions.rollback();
      committed.rollback();
      throw storeFailure(`cannot ${doing}`, thrown);
    }
  }

  /** All or nothing. Takes the write lock at once: a read transaction cannot become a write if another process has written since. */
  write<Result>(doing: string, work: () => Result): Result {
    const { lockWait, files, hooks } = this.#init;
    return this.run(doing, () => {
      this.#cutFiles.check();
      const result = this.#transaction.immediate(() => {
        lockWait.end();
        const written = work();
        files.check();
        hooks?.beforeCommit();
        return written;
      }) as Result;
      this.#cutFiles.committed();
      hooks?.afterCommit();
      return result;
    });
  }

  /** Everything that `work` reads is from one snapshot of the database. */
  read<Result>(doing: string, work: () => Result): Result {
    return this.run(doing, () => this.#transaction(work) as Result);
  }
}
