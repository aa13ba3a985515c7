/** Writing and reading archive files: what is written is on the disk, and what is read is looked at line by line. */

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import type { Repetition } from "../../model/repetition.ts";
import { syncToDisk } from "../../sql/sync.ts";
import { type ArchivedRow, type ArchiveHeader, parseArchiveHeader, parseArchiveLine } from "./archive-format.ts";

/** To gzip and write each line by itself takes longer than to make it. */
const CHUNK_CHARS = 65_536;

/** A row holds up to 64 KiB of a message, and texts of it. */
const MAX_LINE_BYTES = 16 * 1_048_576;

/** Writes `lines` to `path` (0600), over what is there, and returns when they are on the disk. Throws `file_failed`. */
export async function writeArchiveFile(path: string, lines: Iterable<string>): Promise<void> {
  await doing(`cannot write ${path}`, async () => {
    await pipeline(Readable.from(chunksOf(lines)), createGzip(), createWriteStream(path, { mode: 0o600 }));
  });
  syncToDisk(path);
}

export interface ArchiveVisitor {
  /** Comes first. May throw where the file is another one than it should be. */
  header(header: ArchiveHeader): void;
  row(archived: ArchivedRow): void;
  repetition?(repetition: Repetition): void;
}

/** What is known of a file that was read to its end. */
export interface ReadArchive {
  readonly header: ArchiveHeader;
  /** SHA-256 (hex) of the file. */
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
}

/**
 * Shows `visitor` what is in the file. Throws `archive_invalid` where it is no archive file, or not a whole one, `file_failed` where it
 * cannot be read, and what `visitor` throws.
 */
export async function readArchiveFile(path: string, visitor: ArchiveVisitor): Promise<ReadArchive> {
  const hash = createHash("sha256");
  let bytes = 0;
  const content = new ArchiveContent(path, visitor);
  async function* counted(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
    }
  }
  await doing(`cannot read ${path}`, () =>
    pipeline(createReadStream(path), counted, createGunzip(), async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) content.take(chunk);
    }),
  );
  return { ...content.end(), sha256: hash.digest("hex"), bytes };
}

/** The first line alone. Throws as readArchiveFile does. */
export async function readArchiveHeader(path: string): Promise<ArchiveHeader> {
  let header: ArchiveHeader | undefined;
  const enough = new AbortController();
  const content = new ArchiveContent(path, {
    header(found) {
      header = found;
      enough.abort();
    },
    row() {},
  });
  return doing(`cannot read ${path}`, async () => {
    try {
      await pipeline(
        createReadStream(path),
        createGunzip(),
        async (source: AsyncIterable<Buffer>) => {
          for await (const chunk of source) content.take(chunk);
        },
        { signal: enough.signal },
      );
    } catch (thrown) {
      if (header === undefined) throw thrown;
    }
    return header ?? content.end().header;
  });
}

class ArchiveContent {
  readonly #path: string;
  readonly #visitor: ArchiveVisitor;
  #rest: Buffer = Buffer.alloc(0);
  #line = 0;
  #header: ArchiveHeader | undefined;
  #rows = 0;
  #last: ArchivedRow["row"] | undefined;
  #isOver = false;

  constructor(path: string, visitor: ArchiveVisitor) {
    this.#path = path;
    this.#visitor = visitor;
  }

  take(chunk: Buffer): void {
    const bytes = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf("\n"); end !== -1; end = bytes.indexOf("\n", from)) {
      this.#take(bytes.toString("utf8", from, end));
      from = end + 1;
    }
    this.#rest = bytes.subarray(from);
    if (this.#rest.byteLength > MAX_LINE_BYTES) throw this.#invalid(`a line is longer than ${MAX_LINE_BYTES} bytes`);
  }

  end(): Pick<ReadArchive, "header" | "rows"> {
    const header = this.#header;
    if (header === undefined || !this.#isOver || this.#rest.byteLength > 0)
      throw this.#invalid("the file ends before its trailer");
    return { header, rows: this.#rows };
  }

  #take(text: string): void {
    this.#line += 1;
    if (this.#isOver) throw this.#invalid("there is a line behind the trailer");
    if (this.#header === undefined) {
      this.#header = this.#parsed(() => parseArchiveHeader(text));
      this.#visitor.header(this.#header);
      return;
    }
    const line = this.#parsed(() => parseArchiveLine(text));
    switch (line.kind) {
      case "row":
        this.#rows += 1;
        this.#last = line.row;
        this.#visitor.row(line);
        break;
      case "repetition":
        this.#visitor.repetition?.(line.repetition);
        break;
      case "trailer":
        this.#finish(this.#header, line.rows);
    }
  }

  #finish({ firstSeq, lastSeq, lastChainHash }: ArchiveHeader, rows: number): void {
    this.#isOver = true;
    if (rows !== this.#rows) throw this.#invalid(`the trailer says ${rows} rows, the file has ${this.#rows}`);
    const { seq, chainHash } = this.#last ?? {};
    if (seq !== lastSeq || rows !== lastSeq - firstSeq + 1)
      throw this.#invalid(`the header says seq ${firstSeq} to ${lastSeq}, the file has ${rows} rows up to seq ${seq}`);
    if (chainHash !== lastChainHash)
      throw this.#invalid(`the last row has the chain hash ${chainHash}, the header says ${lastChainHash}`);
  }

  #parsed<Value>(parse: () => Value): Value {
    try {
      return parse();
    } catch (thrown) {
      throw this.#invalid(messageOf(thrown));
    }
  }

  #invalid(problem: string): PartnerdError {
    return new PartnerdError("archive_invalid", `${this.#path}:${this.#line}: ${problem}`, {
      nextStep: "take the file from a backup; its anchor in the database has its SHA-256 (view archives)",
    });
  }
}

function* chunksOf(lines: Iterable<string>): Generator<string> {
  let chunk = "";
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = "";
  }
  yield chunk;
}

async function doing<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof PartnerdError) throw thrown;
    const isContent = thrown instanceof Error && "code" in thrown && String(thrown.code).startsWith("Z_");
    throw new PartnerdError(isContent ? "archive_invalid" : "file_failed", `${what}: ${messageOf(thrown)}`, {
      nextStep: isContent
        ? "name an archive file; where it is one, it is damaged: take it from a backup"
        : "see that the file can be read, or the directory written, and that the disk has room",
      cause: thrown,
    });
  }
}
