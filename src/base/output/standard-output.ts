/** Standard output, so that writing to it never waits for a reader. */
import { closeSync, constants, fstatSync, openSync, readlinkSync, statSync, writeSync } from "node:fs";
import { isatty } from "node:tty";

const STANDARD_OUTPUT = 1;
const { O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;

/**
 * The descriptor to write to. A pipe or terminal is opened once more, without blocking: that mode belongs to the open file, and other
 * processes that share ours may set it back. A socket cannot be opened again, so ours is used, which Node makes non-blocking.
 */
export class StandardOutput {
  #descriptor: number;
  /** The path of the regular file that standard output was at the start; undefined for anything else. */
  readonly file: string | undefined;

  constructor() {
    // Creating Node's stream of a pipe or socket makes it non-blocking. Nothing is written to the stream.
    void process.stdout;
    this.file = regularFile(STANDARD_OUTPUT);
    const isPipe = fstatSync(STANDARD_OUTPUT).isFIFO();
    this.#descriptor = isPipe || isatty(STANDARD_OUTPUT) ? reopened(STANDARD_OUTPUT) : STANDARD_OUTPUT;
  }

  /** Writes some of `bytes` from `offset` on, and returns how many. Throws EAGAIN if the reader is slow. */
  write(bytes: Uint8Array, offset: number): number {
    return writeSync(this.#descriptor, bytes, offset);
  }

  /** Opens the file again by its name, which may have been given to another file since. Does nothing if it is not a file. Throws. */
  reopen(): void {
    if (this.file === undefined) return;
    const opened = openSync(this.file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY, 0o640);
    if (this.#descriptor !== STANDARD_OUTPUT) closeSync(this.#descriptor);
    this.#descriptor = opened;
  }
}

/** Falls back to `descriptor` itself, for example if the pipe belongs to another user. */
function reopened(descriptor: number): number {
  try {
    return openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return descriptor;
  }
}

function regularFile(descriptor: number): string | undefined {
  try {
    const stats = fstatSync(descriptor);
    const path = readlinkSync(`/proc/self/fd/${descriptor}`);
    const { dev, ino } = statSync(path);
    return stats.isFile() && dev === stats.dev && ino === stats.ino ? path : undefined;
  } catch {
    return undefined;
  }
}
