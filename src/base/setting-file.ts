/** The files that settings name, and the secrets in them. */
import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from "node:fs";
import { getSystemErrorMessage, inspect } from "node:util";
import { messageOf, PartnerdError } from "./errors.ts";
import { pathNextStep, shownPath } from "./secrets/shown.ts";

/** A password or token. Printed, logged or converted to JSON, it is `***`. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the protocol that needs it and for nothing else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [inspect.custom](): string {
    return "***";
  }
}

/** Larger than any bundle of certificates. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** The contents of the file that `setting` names. Throws config_invalid, naming the setting and the path, unless that is a secret. */
export function readConfigured(setting: string, path: string): Buffer {
  try {
    return readRegularFile(path);
  } catch (error) {
    throw new PartnerdError("config_invalid", `${setting}: cannot read ${shownPath(path)}: ${messageOf(error)}`, {
      nextStep: pathNextStep(path, "name a file that the daemon's user can read"),
      cause: error,
    });
  }
}

/**
 * The secret in the file that `setting` names, without the line end at its end. Throws config_invalid, naming the setting and the
 * path and no part of the contents, if the file cannot be read, is empty, or is not one line of UTF-8 text.
 */
export function readSecret(setting: string, path: string): Secret {
  const contents = readConfigured(setting, path);
  const text = contents.toString("utf8").replace(/[\r\n]+$/, "");
  const problem = !isUtf8(contents)
    ? "is not UTF-8 text"
    : text === ""
      ? "is empty"
      : /[\r\n]/.test(text)
        ? "has several lines"
        : undefined;
  if (problem === undefined) return new Secret(text);
  throw new PartnerdError("config_invalid", `${setting}: "${path}" ${problem}`, {
    nextStep: `write the value of ${setting.replace(/File$/, "")} to the file, alone on one line`,
  });
}

/**
 * The contents of a regular file; a symbolic link may lead to it, as those of Kubernetes secrets do. Never waits for a writer, as
 * opening a FIFO would. Throws if it is another kind of file or larger than `maxBytes`.
 */
export function readRegularFile(path: string, maxBytes: number = MAX_FILE_BYTES): Buffer {
  return withRegularFile(path, (descriptor) => readUpTo(descriptor, maxBytes));
}

/** The result of `use` for `path`, opened for reading. Throws if it is not a regular file. */
export function withRegularFile<Result>(path: string, use: (descriptor: number, stats: Stats) => Result): Result {
  const descriptor = openRegularFile(path);
  try {
    return use(descriptor, fstatSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** A descriptor of `path`, opened for reading. Throws if it is not a regular file. No message repeats the path. */
export function openRegularFile(path: string): number {
  const descriptor = openForReading(path);
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return descriptor;
  closeSync(descriptor);
  throw new Error(`it is ${kindOf(stats)}, not a regular file`);
}

function openForReading(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw withoutPath(error);
  }
}

/** An error of the file system, without the path in its message, which may be a secret in the wrong place; any other as it is. */
export function withoutPath(thrown: unknown): unknown {
  const { code, errno, syscall } = thrown as NodeJS.ErrnoException;
  if (code === undefined) return thrown;
  const message = errno === undefined ? "it is not a path" : `${code}: ${getSystemErrorMessage(errno)}`;
  return Object.assign(new Error(message), { code, errno, syscall });
}

/** Files of /proc report a size of 0, so the size alone says nothing. */
export function readUpTo(descriptor: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  for (let left = maxBytes + 1; left > 0; ) {
    const chunk = Buffer.alloc(Math.min(left, 65_536));
    const bytes = readSync(descriptor, chunk);
    if (bytes === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, bytes));
    left -= bytes;
  }
  throw new Error(`it is larger than ${maxBytes} bytes`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  return stats.isSocket() ? "a socket" : "a device";
}

/** The process's user and groups, as the kernel checks them. */
export interface ProcessUser {
  readonly uid: number;
  readonly groups: ReadonlySet<number>;
}

export function processUser(): ProcessUser {
  return { uid: process.geteuid?.() ?? 0, groups: new Set([process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])]) };
}
