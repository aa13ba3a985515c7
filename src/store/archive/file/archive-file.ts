/** Writes archive files durably, and reads them line by line. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, type ReadStream, rmSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import { openRegularFile } from "../../../base/setting-file.ts";
import { syncToDisk } from "../../sql/data-directory.ts";
import { ArchiveContent, type ArchiveVisitor } from "./archive-content.ts";
import type { ArchiveHeader } from "./archive-format.ts";

/** Lines are grouped: compressing and writing each one alone takes longer than producing it. */
const CHUNK_CHARS = 65_536;

/** Writes `lines` to `path` (0600), replacing the file, and fsyncs it. Throws `file_failed`. */
export async function writeArchiveFile(path: string, lines: Iterable<string>): Promise<void> {
  await doing(`cannot write ${path}`, async () => {
    // A file that is there keeps its mode, and a link is followed.
    rmSync(path, { force: true });
    await pipeline(Readable.from(chunksOf(lines)), createGzip(), createWriteStream(path, { flags: "wx", mode: 0o600 }));
  });
  syncToDisk(path);
}

/** The result of reading a file to its end. */
export interface ReadArchive {
  readonly header: ArchiveHeader;
  /** SHA-256 (hex) of the file. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Passes the content of the file to `visitor`. Throws `archive_invalid` if the file is not a complete archive, `file_failed` if
 * it cannot be read, and whatever `visitor` throws.
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
    pipeline(openToRead(path), counted, createGunzip(), async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) content.take(chunk);
    }),
  );
  return { header: content.end(), sha256: hash.digest("hex"), bytes };
}

/** Reads only the first line. Throws as readArchiveFile does. */
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
        openToRead(path),
        createGunzip(),
        async (source: AsyncIterable<Buffer>) => {
          for await (const chunk of source) content.take(chunk);
        },
        { signal: enough.signal },
      );
    } catch (thrown) {
      if (header === undefined) throw thrown;
    }
    return header ?? content.end();
  });
}

/** Throws if it is not a regular file; opening a FIFO would wait for a writer. */
function openToRead(path: string): ReadStream {
  return createReadStream(path, { fd: openRegularFile(path) });
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
        ? "check that the file is an archive; if it is, it is damaged: restore it from a backup"
        : "check that the file is readable, or its directory writable, and that the disk has room",
      cause: thrown,
    });
  }
}
