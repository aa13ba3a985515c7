/** Reads a database file as it is, without migrating it or recovering its write-ahead log into it. */

import { hash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type Database from "better-sqlite3";
import { asc, getTableColumns, gt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { CHAIN_START, chainHash } from "../../src/store/model/chain.ts";
import { storedSha256Of } from "../../src/store/model/payload.ts";
import { eventLog } from "../../src/store/schema/log.ts";
import { rawConnection } from "../store/support/temporary-store.ts";
import type { Claim } from "./claims.ts";
import type { LoggedMessage } from "./compare.ts";

export interface FileCursor {
  readonly created: string;
  /** The first sequence that the log followed. */
  readonly firstSequence: number;
  readonly sequence: number;
}

/** A row that must stay, and its hash, which covers every row before it. */
export interface Anchor {
  readonly seq: number;
  readonly chainHash: string;
}

interface MessageRow {
  readonly seq: number;
  readonly sequence: number | null;
  readonly subject: string | null;
  readonly sha256: string | null;
  readonly bytes: number;
  readonly payload: Buffer;
}

const PAGE_ROWS = 1_000;

export class LogFile implements Disposable {
  readonly #database: Database.Database;

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Undefined if no daemon has got as far as creating the tables. Opened read-only, which leaves the write-ahead log as it is. */
  static open(directory: string): LogFile | undefined {
    const path = join(directory, "oc-partnerd.db");
    if (!existsSync(path) || statSync(path).size === 0) return undefined;
    const { database } = rawConnection(path, { readonly: true });
    const hasTables = database.prepare("select 1 from sqlite_schema where name = 'ingest_cursor'").get() !== undefined;
    if (hasTables) return new LogFile(database);
    database.close();
    return undefined;
  }

  get cursor(): FileCursor | undefined {
    return this.#database
      .prepare<[], FileCursor>("select created, first_sequence as firstSequence, sequence from ingest_cursor")
      .get();
  }

  /** The newest row of a message up to `sequence`. */
  anchorAt(sequence: number): Anchor | undefined {
    return this.#database
      .prepare<[number], Anchor>(
        "select seq, chain_hash as chainHash from event_log where payload is not null and stream_sequence <= ? order by seq desc limit 1",
      )
      .get(sequence);
  }

  holds({ seq, chainHash }: Anchor): boolean {
    const found = this.#database
      .prepare<[number], string | null>("select chain_hash from event_log where seq = ?")
      .pluck()
      .get(seq);
    return found === chainHash;
  }

  /** The rows of messages after row `afterSeq`, in log order. */
  *messages(afterSeq: number): Generator<LoggedMessage> {
    const rows = this.#database.prepare<[number], MessageRow>(
      `select seq, stream_sequence as sequence, subject, payload_sha256 as sha256, payload_bytes as bytes, payload
       from event_log where seq > ? and payload is not null order by seq`,
    );
    for (const { payload, bytes, ...row } of rows.iterate(afterSeq)) {
      // Long messages are stored truncated.
      const isWhole = payload.length < bytes || hash("sha256", payload, "hex") === row.sha256;
      yield { ...row, isWhole };
    }
  }

  /** All rows that say something about delivery, oldest first. */
  get claims(): readonly Claim[] {
    return this.#database
      .prepare<[], Claim>(
        `select seq, type, reason, stream_sequence as first, last_stream_sequence as last, json_extract(details, '$.otherRun') as otherRun
         from event_log where type in ('DeliveryChanged', 'DeliveryGap', 'LogRolledBack', 'CloneSeen') and effect is null order by seq`,
      )
      .all();
  }

  /** The runs of daemons that wrote to this log. */
  get runs(): readonly string[] {
    return this.#database.prepare<[], string>("select run from runs").pluck().all();
  }

  /** The runs that shared the consumer with another, as far as the log has noticed: those of clones, and those that saw them. */
  get contestedRuns(): readonly string[] {
    const seen = `
      select json_extract(details, '$.otherRun') as other,
        (select run from runs where started_seq < seen.seq order by started_seq desc limit 1) as own
      from event_log as seen where type = 'CloneSeen'`;
    return this.#database
      .prepare<[], { readonly other: string; readonly own: string }>(seen)
      .all()
      .flatMap(({ other, own }) => [other, own]);
  }

  /** How many rows hold a message with this sequence or a later one. */
  messageRowsFrom(sequence: number): number {
    return (
      this.#database
        .prepare<[number], number>("select count(*) from event_log where payload is not null and stream_sequence >= ?")
        .pluck()
        .get(sequence) ?? 0
    );
  }

  /** The newest row; 0 if there is none. */
  get headSeq(): number {
    return this.#database.prepare<[], number | null>("select max(seq) from event_log").pluck().get() ?? 0;
  }

  get rows(): number {
    return this.#database.prepare<[], number>("select count(*) from event_log").pluck().get() ?? 0;
  }

  /** Faults found by SQLite's own integrity check. */
  integrityFaults(): readonly string[] {
    const found = this.#database.pragma("integrity_check") as readonly { integrity_check: string }[];
    return found
      .map((row) => row.integrity_check)
      .filter((line) => line !== "ok")
      .map((line) => `integrity_check: ${line}`);
  }

  /** Gaps in the numbering of rows, and rows whose hash is wrong. */
  chainFaults(): readonly string[] {
    const page = drizzle({ client: this.#database })
      .select(getTableColumns(eventLog))
      .from(eventLog)
      .where(gt(eventLog.seq, sql.placeholder("afterSeq")))
      .orderBy(asc(eventLog.seq))
      .limit(PAGE_ROWS)
      .prepare();
    const faults: string[] = [];
    let last = { seq: 0, hash: CHAIN_START };
    for (let rows = page.all({ afterSeq: 0 }); rows.length > 0; rows = page.all({ afterSeq: last.seq })) {
      for (const row of rows) {
        if (row.seq !== last.seq + 1) faults.push(`row ${row.seq} follows row ${last.seq}`);
        last = { seq: row.seq, hash: chainHash(last.hash, { ...row, storedSha256: storedSha256Of(row.payload) }) };
        if (row.chainHash !== last.hash) faults.push(`row ${row.seq}: wrong hash`);
      }
    }
    return faults;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
