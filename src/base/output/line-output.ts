/** Writes lines without ever waiting for their reader: in a bounded queue, and counting the lines that do not fit. */
import type { Clock } from "../clock.ts";

/** Why lines were dropped: the queue was full (a slow reader, a full disk), or there was no reader any more. */
export const DROP_REASONS = ["buffer_full", "reader_gone"] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Enough for several seconds of debugging output. */
const MAX_QUEUED_BYTES = 1_048_576;
const FIRST_RETRY_MS = 10;
const LONGEST_RETRY_MS = 1_000;
const READER_GONE: readonly unknown[] = ["EPIPE", "ECONNRESET"];

interface LineOutputOptions {
  /** Writes some of `bytes`, starting at `offset`, and returns how many. Never waits: throws EAGAIN while the reader is slow. */
  readonly write: (bytes: Uint8Array, offset: number) => number;
  readonly clock: Clock;
  readonly onDropped: (reason: DropReason, lines: number) => void;
  /** Called when lines can be written again, with the number that were dropped. It writes one line that says so. */
  readonly onRecovered: (lines: number) => void;
}

interface QueuedLine {
  readonly bytes: Uint8Array;
  /** The number of dropped lines that this line announces; 0 for an ordinary line. */
  readonly announces: number;
}

/**
 * Lines that cannot be written at once are queued and tried again. If the queue is full, new lines are dropped until half of it is
 * written, so that the line that counts them is where they are missing. If the reader is gone, the queue is dropped too.
 */
export class LineOutput {
  readonly #options: LineOutputOptions;
  readonly #queue: QueuedLine[] = [];
  #queuedBytes = 0;
  /** How much of the first line is written. */
  #offset = 0;
  #retry: Disposable | undefined;
  #retryMs = FIRST_RETRY_MS;
  /** Set while new lines are dropped. */
  #dropping: DropReason | undefined;
  #dropped = 0;
  /** The number that the line being written announces. */
  #announcing = 0;
  /** Set while `drain` waits. */
  #drained: (() => void) | undefined;

  constructor(options: LineOutputOptions) {
    this.#options = options;
  }

  /** Writes `line`, which ends with a line feed, or queues it, or drops it. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#queuedBytes + bytes.byteLength > MAX_QUEUED_BYTES) this.#dropping ??= "buffer_full";
    if (this.#dropping !== undefined) {
      this.#drop(this.#dropping, 1);
      // The line was too long for an empty queue.
      if (this.#retry === undefined) this.#announce();
      return;
    }
    this.#queue.push({ bytes, announces: this.#announcing });
    this.#queuedBytes += bytes.byteLength;
    if (this.#retry === undefined) this.flush();
  }

  /** Tries once to write the queue. */
  flush(): void {
    this.#retry?.[Symbol.dispose]();
    this.#retry = undefined;
    const failure = this.#writeQueue();
    const isReaderGone = READER_GONE.includes(failure);
    if (isReaderGone) this.#dropQueue();
    if (failure !== undefined) this.#retryLater();
    // Any failure but a slow reader's lasts longer than a process may take to exit.
    if (failure !== "EAGAIN") this.#drained?.();
    if (this.#dropping !== undefined && !isReaderGone && this.#queuedBytes <= MAX_QUEUED_BYTES / 2) this.#announce();
  }

  /** Resolves when all lines are written, when the rest cannot be, or after `withinMs`. Keep the event loop alive until then. */
  async drain(withinMs: number): Promise<void> {
    const drained = Promise.withResolvers<void>();
    using _limit = this.#options.clock.schedule(withinMs, drained.resolve);
    this.#drained = drained.resolve;
    this.flush();
    await drained.promise;
    this.#drained = undefined;
  }

  /** Returns the code of the failure; undefined if everything is written. */
  #writeQueue(): string | undefined {
    for (let [line] = this.#queue; line !== undefined; [line] = this.#queue) {
      try {
        const written = this.#options.write(line.bytes, this.#offset);
        if (written === 0) return "EAGAIN";
        this.#offset += written;
        this.#queuedBytes -= written;
        this.#retryMs = FIRST_RETRY_MS;
      } catch (thrown) {
        return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown";
      }
      if (this.#offset < line.bytes.byteLength) continue;
      this.#queue.shift();
      this.#offset = 0;
    }
    return undefined;
  }

  #retryLater(): void {
    const retryMs = this.#drained === undefined ? this.#retryMs : FIRST_RETRY_MS;
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
    this.#retry = this.#options.clock.schedule(retryMs, () => {
      this.#retry = undefined;
      // After the reader has gone, the line that counts the dropped ones finds out whether there is one again.
      if (this.#queue.length === 0 && this.#dropping !== undefined) this.#announce();
      else this.flush();
    });
  }

  #announce(): void {
    this.#announcing = this.#dropped;
    this.#dropping = undefined;
    this.#dropped = 0;
    this.#options.onRecovered(this.#announcing);
    this.#announcing = 0;
  }

  #dropQueue(): void {
    this.#dropping = "reader_gone";
    for (const { announces } of this.#queue.splice(0)) {
      if (announces === 0) this.#drop("reader_gone", 1);
      else this.#dropped += announces;
    }
    this.#queuedBytes = 0;
    this.#offset = 0;
  }

  #drop(reason: DropReason, lines: number): void {
    this.#dropped += lines;
    this.#options.onDropped(reason, lines);
  }
}
