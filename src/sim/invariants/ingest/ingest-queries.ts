/** The ingest state on disk: what another program, or the daemon after a power loss, would read. */
import type { Database, Statement } from "better-sqlite3";
import type { SimDisk } from "../../daemon/disk.ts";

const COUNT = "select count(*) from event_log where dedupe_key = ? and seq > ?";
const CURSOR = "select created, sequence, first_sequence as firstSequence from ingest_cursor";
const GAPS = `select count(*) from event_log where type = 'DeliveryGap' and reason in ('purged', 'rolled_back', 'unproven')
  and stream_sequence <= ? and last_stream_sequence >= ?
  and seq > (select coalesce(max(seq), 0) from event_log where reason = 'recreated')`;
const ROLLBACKS = "select count(*) from event_log where type = 'LogRolledBack' and last_stream_sequence = ?";
const LAST_BREAK = `select coalesce(max(seq), 0) from event_log
  where type = 'DeliveryGap' and reason in ('recreated', 'reused')`;
const RECREATIONS = `select count(*) from event_log
  where type = 'DeliveryGap' and reason = 'recreated' and stream_created = ? and seq < ?`;
const BREAK_AFTER = `select count(*) from event_log where type = 'DeliveryGap' and reason in ('recreated', 'reused', 'unproven')
  and seq > (select seq from event_log where dedupe_key = ?)`;

export class IngestQueries {
  readonly #disk: SimDisk;
  readonly #statements = new Map<string, Statement>();
  #reader: Database | undefined;

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  /** How many rows after `afterSeq` hold the message. */
  count(dedupeKey: string, afterSeq = 0): number {
    return this.#number(COUNT, dedupeKey, afterSeq);
  }

  cursor(): { readonly created: string; readonly sequence: number; readonly firstSequence: number } | undefined {
    return this.#prepare(CURSOR).get() as ReturnType<IngestQueries["cursor"]>;
  }

  /** Whether the log records a gap that covers `sequence` of the current stream. */
  hasGapAt(sequence: number): boolean {
    return this.#number(GAPS, sequence, sequence) > 0;
  }

  /** Whether the log records that it once had everything up to `sequence`. */
  isRollbackRecorded(sequence: number): boolean {
    return this.#number(ROLLBACKS, sequence) > 0;
  }

  /** The seq of the last row that records a recreated or rewound stream; 0 if there is none. */
  lastBreakSeq(): number {
    return this.#number(LAST_BREAK);
  }

  /** Whether a row before `beforeSeq` records that this stream was replaced by another. */
  isRecreationRecorded(streamCreated: string, beforeSeq: number): boolean {
    return this.#number(RECREATIONS, streamCreated, beforeSeq) > 0;
  }

  /** Whether a row after the message's own records a recreated or rewound stream, or one that may have been rewound. */
  hasBreakAfter(dedupeKey: string): boolean {
    return this.#number(BREAK_AFTER, dedupeKey) > 0;
  }

  #number(sql: string, ...parameters: readonly (string | number)[]): number {
    const row = this.#prepare(sql).get(...parameters) as Readonly<Record<string, number>>;
    return Object.values(row)[0] ?? 0;
  }

  #prepare(sql: string): Statement {
    const { reader } = this.#disk;
    if (reader !== this.#reader) this.#statements.clear();
    this.#reader = reader;
    const statement = this.#statements.get(sql) ?? reader.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
