/**
 * The head of the chain outside the database: the newest row that was committed, written after each commit. Who cuts the end off the log,
 * or computes a new chain, has to know of this file too; what is beside the file (docs/adr/0012) he cannot reach.
 */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { contradictionOf, type LogHead } from "../model/log-head.ts";

const HEAD_NAME = "oc-partnerd.head";

/** One line, longer than the longest head: it is overwritten in place, and never by halves within one sector of a disk. */
const LINE_BYTES = 160;

/** `none`: there is no such file, or it was never written. `damaged`: this program cannot have written it so. */
export type HeadRecord =
  | { readonly kind: "none" }
  | { readonly kind: "damaged"; readonly why: string }
  | { readonly kind: "head"; readonly head: LogHead };

const schema = z.strictObject({
  seq: z.int().nonnegative(),
  chainHash: z.string().regex(/^[0-9a-f]{64}$/),
  atMs: z.int().nullable(),
});

export function headFileIn(directory: string): string {
  return join(directory, HEAD_NAME);
}

/** Throws `database_failed` where there is a file that cannot be read. */
export function readHeadFile(path: string): HeadRecord {
  const text = readText(path);
  if (text === "") return { kind: "none" };
  try {
    const head = schema.parse(JSON.parse(text));
    return text === lineOf(head)
      ? { kind: "head", head }
      : { kind: "damaged", why: "it is not written as oc-partnerd writes it" };
  } catch (thrown) {
    return { kind: "damaged", why: thrown instanceof SyntaxError ? messageOf(thrown) : "it is not a seq with its chain hash" };
  }
}

/**
 * `record`: what the file says; read before the log, which may go on meanwhile. Throws `log_truncated` where the log, which ends at `head`,
 * is not the one that the file was written for, and `database_failed` where the file is damaged. A head before `archivedUntilSeq` is in an archive, and out of reach here.
 */
export function refuseTruncated(
  path: string,
  record: HeadRecord,
  head: LogHead,
  chainHashAt: (seq: number) => string | null,
  archivedUntilSeq = 0,
): void {
  switch (record.kind) {
    case "none":
      return;
    case "damaged":
      throw new PartnerdError("database_failed", `${path}, which holds the head of the event log, is damaged: ${record.why}`, {
        nextStep: "look at the log with `oc-partnerd check`; if that finds nothing else, remove this file: it is written anew",
      });
    case "head": {
      if (record.head.seq < archivedUntilSeq) return;
      const contradiction = contradictionOf(record.head, head, chainHashAt);
      if (contradiction === null) return;
      throw new PartnerdError("log_truncated", `the event log was cut short or replaced: ${path} names ${contradiction}`, {
        nextStep: "see what is there with `oc-partnerd check`, then put a sound log in its place with `oc-partnerd restore`",
      });
    }
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw new PartnerdError("database_failed", `cannot read ${path}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

function lineOf({ seq, chainHash, atMs }: LogHead): string {
  return `${JSON.stringify({ seq, chainHash, atMs }).padEnd(LINE_BYTES - 1)}\n`;
}

/**
 * Writes the head after each commit, so that what the file says is never ahead of what the database has on the disk. That it cannot be
 * written is no reason to lose an event: `failing` says so, and the next head is tried again.
 */
export class HeadFile implements Disposable {
  readonly #path: string;
  #descriptor: number | undefined;
  #failing: PartnerdError | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Why the newest head is not in the file; null while it is. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  /** Never throws. Only a new file is fsynced: after a power cut an old one may be behind, which is no fault. */
  write({ seq, chainHash, atMs }: LogHead): void {
    try {
      const descriptor = this.#open();
      const isNew = fstatSync(descriptor).size === 0;
      const line = lineOf({ seq, chainHash, atMs });
      const bytes = writeSync(descriptor, line, 0, "latin1");
      if (bytes !== line.length) throw new Error(`${bytes} of ${line.length} bytes were written`);
      if (isNew) fsyncSync(descriptor);
      this.#failing = null;
    } catch (thrown) {
      this.#failing = new PartnerdError("file_failed", `cannot write ${this.#path}: ${messageOf(thrown)}`, { cause: thrown });
      this.#close();
    }
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  #open(): number {
    this.#descriptor ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    return this.#descriptor;
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    try {
      if (descriptor !== undefined) closeSync(descriptor);
    } catch {
      // What it held was written or reported before; the kernel lets go of the file whatever it answers.
    }
  }
}
