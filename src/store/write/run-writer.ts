/** Runs the transactions that append rows. Those of a run wait until its start is on the disk. */
import type { OwnEventAppender, Start, StartInit } from "./own-event-appender.ts";
import type { TransactionRunner } from "./transaction-runner.ts";

export class RunWriter {
  readonly #runner: Pick<TransactionRunner, "write">;
  readonly #ownEvents: Pick<OwnEventAppender, "started">;
  /** Appends the start, unless it is on the disk. */
  #start: (() => void) | undefined;

  constructor(runner: Pick<TransactionRunner, "write">, ownEvents: Pick<OwnEventAppender, "started">) {
    this.#runner = runner;
    this.#ownEvents = ownEvents;
  }

  /** As Store.registerStart. */
  registerStart(init: StartInit, onAppended: (start: Start) => void): void {
    this.#start = () => onAppended(this.#runner.write("append DaemonStarted", () => this.#ownEvents.started(init)));
  }

  /** As Store.appendStart. */
  appendStart(): void {
    const start = this.#start;
    if (start === undefined) return;
    // Listeners of the appended rows may append others.
    this.#start = undefined;
    try {
      start();
    } catch (thrown) {
      this.#start = start;
      throw thrown;
    }
  }

  /** As TransactionRunner.write. Throws, too, if the start cannot be written. */
  write<Result>(doing: string, work: () => Result): Result {
    this.appendStart();
    return this.#runner.write(doing, work);
  }
}
