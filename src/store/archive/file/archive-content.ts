/** Parses the content of an archive file, chunk by chunk and line by line. Pure. */
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import type { Repetition } from "../../model/repetition.ts";
import { type ArchivedRow, type ArchiveHeader, parseArchiveHeader, parseArchiveLine } from "./archive-format.ts";

/** A row holds up to 64 KiB of a message, and columns derived from it. */
const MAX_LINE_BYTES = 16 * 1_048_576;

export interface ArchiveVisitor {
  /** Called first. May throw to reject the file. */
  header(header: ArchiveHeader): void;
  row(archived: ArchivedRow): void;
  repetition?(repetition: Repetition): void;
}

export class ArchiveContent {
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

  end(): ArchiveHeader {
    const header = this.#header;
    if (header === undefined || !this.#isOver || this.#rest.byteLength > 0)
      throw this.#invalid("the file ends before its trailer");
    return header;
  }

  #take(text: string): void {
    this.#line += 1;
    if (this.#isOver) throw this.#invalid("there is a line after the trailer");
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
      nextStep: "restore the file from a backup; the view archives has the SHA-256 of the original",
      details: { problem: `line ${this.#line}: ${problem}` },
    });
  }
}
