/** Parses the content of an archive file, chunk by chunk and line by line. Pure. */
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import type { Repetition } from "../../model/repetition.ts";
import { type ArchivedRow, type ArchiveHeader, parseArchiveHeader, parseArchiveLine } from "./archive-format.ts";

/** A header has about 400 bytes. */
const MAX_HEADER_BYTES = 4_096;
/** A row holds up to 64 KiB of a message, and columns derived from it. Reading a line takes up to five times its size. */
const MAX_LINE_BYTES = 8 * 1_048_576;

export interface ArchiveVisitor {
  /** Called first. May throw to reject the file. */
  header(header: ArchiveHeader): void;
  row(archived: ArchivedRow): void;
  repetition?(repetition: Repetition): void;
}

export class ArchiveContent {
  readonly #path: string;
  readonly #visitor: ArchiveVisitor;
  /** The begun line. Joined only when it is complete, because copying it for every chunk takes quadratic time and memory. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #line = 0;
  #header: ArchiveHeader | undefined;
  #rows = 0;
  #last: ArchivedRow["row"] | undefined;
  #lastRepeatedSeq = 0;
  #isOver = false;

  constructor(path: string, visitor: ArchiveVisitor) {
    this.#path = path;
    this.#visitor = visitor;
  }

  take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf("\n"); end !== -1; end = chunk.indexOf("\n", from)) {
      this.#add(chunk.subarray(from, end));
      const line = Buffer.concat(this.#begun).toString();
      this.#begun = [];
      this.#begunBytes = 0;
      this.#take(line);
      from = end + 1;
    }
    this.#add(chunk.subarray(from));
  }

  end(): ArchiveHeader {
    const header = this.#header;
    if (header === undefined || !this.#isOver || this.#begunBytes > 0) throw this.#invalid("the file ends before its trailer");
    return header;
  }

  #add(part: Buffer): void {
    if (part.byteLength === 0) return;
    this.#begunBytes += part.byteLength;
    const most = this.#header === undefined ? MAX_HEADER_BYTES : MAX_LINE_BYTES;
    if (this.#begunBytes > most) throw this.#invalid(`the line is longer than ${most} bytes`, this.#line + 1);
    this.#begun.push(part);
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
        this.#checkOrder(this.#header, line.repetition);
        this.#visitor.repetition?.(line.repetition);
        break;
      case "trailer":
        this.#finish(this.#header, line.rows);
    }
  }

  /** Each is of one failure in an earlier file, so that their number is bounded by those rows. */
  #checkOrder({ firstSeq: next }: ArchiveHeader, { firstSeq }: Repetition): void {
    if (firstSeq <= this.#lastRepeatedSeq || firstSeq >= next)
      throw this.#invalid(`first_seq is ${firstSeq}, expected one between ${this.#lastRepeatedSeq} and ${next}`);
    this.#lastRepeatedSeq = firstSeq;
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

  #invalid(problem: string, line = this.#line): PartnerdError {
    return new PartnerdError("archive_invalid", `${this.#path}:${line}: ${problem}`, {
      nextStep: "restore the file from a backup; the view archives has the SHA-256 of the original",
      details: { problem: `line ${line}: ${problem}` },
    });
  }
}
