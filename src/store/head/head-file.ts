/**
 * The head of the chain, kept outside the database: the newest committed row, written after each commit. An attacker who truncates the
 * log or recomputes the chain must also change this file; copies on other machines (docs/adr/0012) are out of its reach.
 */
import { closeSync, constants, fstatSync, fsyncSync, openSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { readRegularFile } from "../../base/setting-file.ts";
import { REPLACE_THE_LOG } from "../model/finding.ts";
import { contradictionOf, type LogHead } from "../model/log-head.ts";
import { giveToOwnerOf } from "../sql/data-directory.ts";

const HEAD_NAME = "oc-partnerd.head";

/** One line, longer than the longest head: overwritten in place, and never torn within one disk sector. */
const LINE_BYTES = 160;

/** `none`: the file is missing, or was never completely written. `damaged`: this program cannot have written it. */
export type HeadRecord =
  | { readonly kind: "none" }
  | { readonly kind: "damaged"; readonly why: string }
  | { readonly kind: "head"; readonly head: LogHead };

/** Each line begins with it. */
const FIRST_BYTES = '{"seq":';

const schema = z.strictObject({
  seq: z.int().nonnegative(),
  chainHash: z.string().regex(/^[0-9a-f]{64}$/),
  atMs: z.int().nullable(),
});

export function headFileIn(directory: string): string {
  return join(directory, HEAD_NAME);
}

/** Throws `database_failed` if the file exists but cannot be read. */
export function readHeadFile(path: string): HeadRecord {
  const text = readText(path);
  try {
    const head = schema.parse(JSON.parse(text));
    // Without its padding it is still a head.
    if (lineOf(head).startsWith(text)) return { kind: "head", head };
    return { kind: "damaged", why: "oc-partnerd would not write it like this" };
  } catch (thrown) {
    if (isUnwritten(text)) return { kind: "none" };
    return { kind: "damaged", why: thrown instanceof SyntaxError ? messageOf(thrown) : "it is not a seq with its chain hash" };
  }
}

/**
 * Throws `log_truncated` if the log that ends at `head` does not contain the head in `record`, and `database_failed` if the file is
 * damaged. Read `record` before the log, which may grow in between. A head before `archivedUntilSeq` is in an archive and not checked.
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
      throw new PartnerdError("database_failed", `${path}, the head file of the event log, is damaged: ${record.why}`, {
        nextStep: "run `oc-partnerd check`; if it finds nothing else, delete this file: the next start writes a new one",
      });
    case "head": {
      if (record.head.seq < archivedUntilSeq) return;
      const contradiction = contradictionOf(record.head, head, chainHashAt);
      if (contradiction === null) return;
      throw new PartnerdError("log_truncated", `the event log was truncated or replaced: ${path} names ${contradiction}`, {
        nextStep: `run \`oc-partnerd check\` for details, then ${REPLACE_THE_LOG}`,
      });
    }
  }
}

/** A power loss while the file is created leaves nothing, zeros, or a part of its line. */
function isUnwritten(text: string): boolean {
  return (
    /^\0*$/.test(text) ||
    (text.length < LINE_BYTES && FIRST_BYTES.startsWith(text.slice(0, FIRST_BYTES.length)) && !text.endsWith("\n"))
  );
}

function readText(path: string): string {
  try {
    return readRegularFile(path).toString("latin1");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw new PartnerdError("database_failed", `cannot read ${path}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

function lineOf({ seq, chainHash, atMs }: LogHead): string {
  return `${JSON.stringify({ seq, chainHash, atMs }).padEnd(LINE_BYTES - 1)}\n`;
}

/**
 * Writes the head after each commit, so that the file is never ahead of the database on disk. A failing write must not lose an
 * event: it is reported by `failing`, and the next head is written again.
 */
export class HeadFile implements Disposable {
  readonly #path: string;
  #descriptor: number | undefined;
  #failing: PartnerdError | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** Why the newest head is not in the file; null if it is. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  /** Never throws. Only a new file is fsynced: after a power cut an old one may be behind, which is harmless. */
  write({ seq, chainHash, atMs }: LogHead): void {
    try {
      const { descriptor, isNew } = this.#open();
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

  /** Opens it again if it was moved, deleted or replaced: the head must be where the next start looks for it. */
  #open(): { readonly descriptor: number; readonly isNew: boolean } {
    const found = this.#descriptor === undefined ? undefined : fstatSync(this.#descriptor);
    const there = statSync(this.#path, { throwIfNoEntry: false });
    if (found?.ino !== there?.ino || found?.dev !== there?.dev) this.#close();
    this.#descriptor ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
    if (there === undefined) giveToOwnerOf(dirname(this.#path), this.#path);
    return { descriptor: this.#descriptor, isNew: (there?.size ?? 0) === 0 };
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    try {
      if (descriptor !== undefined) closeSync(descriptor);
    } catch {
      // Its content was already written or reported, and the kernel closes the descriptor even if it reports an error.
    }
  }
}
