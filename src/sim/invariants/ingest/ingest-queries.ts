/** The ingest as the disk has it: what another program, or the daemon after a power loss, would read. */
import type { Database, Statement } from "better-sqlite3";
import type { SimDisk } from "../../daemon/disk.ts";

export interface CursorOnDisk {
  readonly created: string;
  readonly sequence: number;
  readonly firstSequence: number;
}

interface Statements {
  readonly reader: Database;
  readonly count: Statement<[string, number], number>;
  readonly cursor: Statement<[], CursorOnDisk>;
  readonly gaps: Statement<[number, number], number>;
  readonly lastBreak: Statement<[], number>;
  readonly breakAfter: Statement<[string], number>;
}

const COUNT = "select count(*) from event_log where dedupe_key = ? and seq > ?";
const CURSOR = "select created, sequence, first_sequence as firstSequence from ingest_cursor";
const GAPS = `select count(*) from event_log where type = 'DeliveryGap' and reason = 'purged'
  and stream_sequence <= ? and last_stream_sequence >= ?
  and seq > (select coalesce(max(seq), 0) from event_log where reason = 'recreated')`;
const LAST_BREAK = `select coalesce(max(seq), 0) from event_log
  where type = 'DeliveryGap' and reason in ('recreated', 'reused')`;
const BREAK_AFTER = `select count(*) from event_log where type = 'DeliveryGap' and reason != 'purged'
  and seq > (select seq from event_log where dedupe_key = ?)`;

export class IngestQueries {
  readonly #disk: SimDisk;
  #prepared: Statements | undefined;

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  /** How often the log has the message, in rows after `afterSeq`. */
  count(dedupeKey: string, afterSeq = 0): number {
    return this.#statements().count.get(dedupeKey, afterSeq) ?? 0;
  }

  cursor(): CursorOnDisk | undefined {
    return this.#statements().cursor.get();
  }

  /** Whether a gap of the stream, as it is now, names `sequence`. */
  hasGapAt(sequence: number): boolean {
    return (this.#statements().gaps.get(sequence, sequence) ?? 0) > 0;
  }

  /** The seq of the last row that says that the stream was recreated or set back; 0 if there is none. */
  lastBreakSeq(): number {
    return this.#statements().lastBreak.get() ?? 0;
  }

  /** Whether a row after that of the message says that the stream was recreated or set back. */
  hasBreakAfter(dedupeKey: string): boolean {
    return (this.#statements().breakAfter.get(dedupeKey) ?? 0) > 0;
  }

  #statements(): Statements {
    const { reader } = this.#disk;
    if (this.#prepared?.reader === reader) return this.#prepared;
    this.#prepared = {
      reader,
      count: reader.prepare<[string, number], number>(COUNT).pluck(),
      cursor: reader.prepare(CURSOR),
      gaps: reader.prepare<[number, number], number>(GAPS).pluck(),
      lastBreak: reader.prepare<[], number>(LAST_BREAK).pluck(),
      breakAfter: reader.prepare<[string], number>(BREAK_AFTER).pluck(),
    };
    return this.#prepared;
  }
}
