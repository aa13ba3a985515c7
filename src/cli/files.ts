/** Reading and writing the files that a command is given: whole or not at all, and never over another. */
import { isUtf8 } from "node:buffer";
import { closeSync, createReadStream, existsSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { messageOf, PartnerdError } from "../errors.ts";
import { fixtureTooLong, formatHeader, formatLine, MAX_FIXTURE_BYTES } from "../fixture/parse.ts";
import type { Fixture } from "../fixture/schema.ts";

/** A fixture as text, and what to call it in messages. */
export interface FixtureText {
  readonly name: string;
  readonly text: string;
}

/**
 * The fixture in `file`; in standard input where that is undefined or `-`. Throws file_failed, fixture_invalid for what is no text, and
 * usage where nothing is named and nothing piped: nobody types a fixture.
 */
export async function readFixtureText(file: string | undefined): Promise<FixtureText> {
  if (file === undefined && process.stdin.isTTY) {
    throw new PartnerdError("usage", "no fixture is named, and standard input is a terminal", {
      nextStep: "give the path of a fixture, or pipe one in; - reads from the terminal all the same",
    });
  }
  const isStandardInput = file === undefined || file === "-";
  const name = isStandardInput ? "standard input" : file;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of isStandardInput ? process.stdin : createReadStream(file)) {
      bytes += (chunk as Buffer).byteLength;
      if (bytes > MAX_FIXTURE_BYTES) throw fixtureTooLong(name);
      chunks.push(chunk as Buffer);
    }
  } catch (thrown) {
    if (thrown instanceof PartnerdError) throw thrown;
    throw new PartnerdError("file_failed", `cannot read ${name}: ${messageOf(thrown)}`, {
      nextStep: "give the path of a fixture, or - for standard input",
      cause: thrown,
    });
  }
  return { name, text: decoded(Buffer.concat(chunks), name) };
}

function decoded(bytes: Buffer, name: string): string {
  if (isUtf8(bytes)) return bytes.toString();
  let number = 1;
  for (let from = 0; from < bytes.length; number++) {
    const end = bytes.indexOf("\n", from);
    const until = end === -1 ? bytes.length : end + 1;
    if (!isUtf8(bytes.subarray(from, until))) break;
    from = until;
  }
  throw new PartnerdError("fixture_invalid", `${name}:${number}: the line is not UTF-8, expected a JSON object in UTF-8`, {
    nextStep: "bytes that are no UTF-8 are written as base64; docs/FIXTURES.md tells how",
  });
}

const CHUNK_LENGTH = 65_536;

/**
 * Writes `fixture` to a new file `file`, or to standard output where that is undefined. Throws file_failed, and then leaves no file
 * behind, and fixture_invalid where it is larger than a fixture may be.
 */
export async function writeFixture(fixture: Fixture, file: string | undefined): Promise<void> {
  const lines = linesOf(fixture);
  if (file !== undefined) {
    writeFile(lines, file);
    return;
  }
  for (const chunk of chunksOf(lines, "standard output")) {
    if (!process.stdout.write(chunk)) await new Promise<void>((resolve) => process.stdout.once("drain", resolve));
  }
}

function* linesOf({ header, lines }: Fixture): Generator<string> {
  yield formatHeader(header);
  for (const line of lines) yield formatLine(line);
}

function writeFile(lines: Iterable<string>, file: string): void {
  const descriptor = createFile(file);
  try {
    for (const chunk of chunksOf(lines, file)) writeAll(descriptor, Buffer.from(chunk), file);
    fsyncSync(descriptor);
  } catch (thrown) {
    rmSync(file, { force: true });
    throw thrown;
  } finally {
    closeSync(descriptor);
  }
}

function* chunksOf(lines: Iterable<string>, name: string): Generator<string> {
  let chunk = "";
  let bytes = 0;
  for (const line of lines) {
    bytes += Buffer.byteLength(line) + 1;
    if (bytes > MAX_FIXTURE_BYTES) throw fixtureTooLong(name);
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = "";
  }
  yield chunk;
}

/** A new file, open for writing. Throws file_failed where there is one already. */
export function createFile(file: string): number {
  try {
    return openSync(file, "wx");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "EEXIST") throw existsAlready(file, thrown);
    throw new PartnerdError("file_failed", `cannot create ${file}: ${messageOf(thrown)}`, {
      nextStep: "name another file with --out FILE",
      cause: thrown,
    });
  }
}

/** Throws file_failed where `file` exists: before hours of work whose result could not be written then. */
export function checkIsNew(file: string | undefined): void {
  if (file !== undefined && existsSync(file)) throw existsAlready(file);
}

function existsAlready(file: string, cause?: unknown): PartnerdError {
  return new PartnerdError("file_failed", `${file} exists already, and nothing is overwritten`, {
    nextStep: "name another file with --out FILE",
    cause,
  });
}

/** Every byte, at `position` or where the last write ended. Throws file_failed, as when the disk is full. */
export function writeAll(descriptor: number, bytes: Uint8Array, file: string, position: number | null = null): void {
  try {
    for (let written = 0; written < bytes.byteLength; ) {
      written += writeSync(descriptor, bytes, written, bytes.byteLength - written, position === null ? null : position + written);
    }
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot write to ${file}: ${messageOf(thrown)}`, {
      nextStep: "free space on the disk, or name a file elsewhere with --out FILE",
      cause: thrown,
    });
  }
}
