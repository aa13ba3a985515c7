/** A fixture that is written while it happens, and is whole at every moment: whatever ends the process, the file parses. */
import { closeSync, fsyncSync } from "node:fs";
import { formatHeader, formatLine } from "../fixture/parse.ts";
import type { FixtureHeader, FixtureLine } from "../fixture/schema.ts";
import { createFile, writeAll } from "./files.ts";

/** A line that begins with this is a comment. */
const COMMENT = "#";

export class FixtureWriter implements Disposable {
  readonly #file: string;
  readonly #descriptor: number;
  #position = 0;

  /** Throws file_failed where `file` exists or cannot be created. */
  constructor(file: string, header: FixtureHeader) {
    this.#file = file;
    this.#descriptor = createFile(file);
    this.#append(formatHeader(header));
  }

  /** The line is in the file when this returns. Throws file_failed; the file is still a fixture then, without the line. */
  append(line: FixtureLine): void {
    this.#append(formatLine(line));
  }

  [Symbol.dispose](): void {
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }

  /** A kill can cut a write short. So a line is a comment until all of it is there, and becomes one of the fixture by its first byte. */
  #append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    const [first = 0] = bytes;
    bytes.write(COMMENT);
    writeAll(this.#descriptor, bytes, this.#file, this.#position);
    writeAll(this.#descriptor, Uint8Array.of(first), this.#file, this.#position);
    this.#position += bytes.byteLength;
  }
}
