/** Prepared statements about delivery: the cursor, the guarantees and the gaps. */
import type { Database } from "better-sqlite3";
import { and, asc, desc, getTableColumns, gt, sql } from "drizzle-orm";
import type { PeerId, ResourceId } from "../../../base/ids.ts";
import type { DeliveryChanged, DeliveryEvent } from "../../../events/delivery/delivery-events.ts";
import type { DesiredEvent } from "../../../events/types.ts";
import { type BrokerStream, type Cursor, cursorOf, cursorRowOf } from "../../model/cursor.ts";
import { type KnownMessage, parseDedupeKey } from "../../model/dedupe-key.ts";
import { type LogEntry, logEntryOf } from "../../model/log-entry.ts";
import { eventLog, ingestCursor } from "../../schema/log.ts";
import type { ArchiveRows } from "./archive-rows.ts";
import { isOfType, loggedColumns } from "./event-rows.ts";
import { orm, prepareAll, reader, upserter } from "./statement.ts";

/** A dedupe key begins with the creation time of its stream. */
const NEWER_IN_STREAM = `
  select seq, stream_sequence as streamSequence from event_log
  where (peer_id = :peerId or resource_id = :resourceId) and stream_sequence > :streamSequence
    and substr(dedupe_key, 1, length(:created) + 1) = :created || '/'
  union all
  select stream_seq, stream_sequence from archived_peer
  where peer_id = :peerId and stream_sequence > :streamSequence and stream_created = :created
  union all
  select stream_seq, stream_sequence from archived_resource
  where resource_id = :resourceId and stream_sequence > :streamSequence and stream_created = :created
  order by streamSequence desc`;

interface NewerInStream {
  readonly peerId: PeerId;
  readonly resourceId: ResourceId | null;
  readonly created: string;
  readonly streamSequence: number;
}

/** The most keys that KEY_BEFORE passes over, each in less than 1 µs. */
const MOST_PASSED = 10_000;

/**
 * The key next below `before` of a row after `afterSeq`, in the order of text, not of sequences: a dedupe key begins with the creation
 * time of its stream. Bounded: a rewound stream can have left any number of keys from before.
 */
const KEY_BEFORE = `
  select dedupeKey from (
    select dedupe_key as dedupeKey, seq from event_log
    where dedupe_key >= :created || '/' and dedupe_key < :before
    order by dedupe_key desc limit ${MOST_PASSED}
  ) where seq > :afterSeq order by dedupeKey desc limit 1`;

const ARCHIVED_BEFORE = `
  select stream_sequence as sequence, message_hash as messageHash from archived_message
  where stream_id = (select id from archived_stream where created = :created) and stream_sequence between 1 and :sequence
  order by stream_sequence desc limit 1`;

/** How many rows hold a message with these bytes. */
export interface CoreMessageCount {
  readonly subject: string;
  readonly payloadSha256: string;
  readonly count: number;
}

const RECEIVED_BY_CORE = `
  select subject, payload_sha256 as payloadSha256, count(*) as count from (
    select subject, payload_sha256 from event_log
    where dedupe_key is null and subject is not null and payload_sha256 is not null and at_ms >= :sinceMs and seq > :afterSeq
    union all
    select subject, payload_sha256 from archived_core_message where at_ms >= :sinceMs and seq > :afterSeq
  ) group by subject, payload_sha256`;

/** The run that each of the newest clones had, and the run that saw it. */
const CONTESTED_RUNS = `
  select json_extract(seen.details, '$.otherRun'), (
    select json_extract(started.details, '$.run') from event_log as started
    where started.type = 'DaemonStarted' and started.effect is null and started.seq < seen.seq
    order by started.seq desc limit 1
  )
  from event_log as seen where seen.type = 'CloneSeen' and seen.effect is null
  order by seen.seq desc limit 16`;

const CLONES = `
  select distinct json_extract(details, '$.otherRun') from event_log where type = 'CloneSeen' and effect is null`;

const statements = {
  delivery: reader(
    orm.select(loggedColumns).from(eventLog).where(isOfType("DeliveryChanged")).orderBy(desc(eventLog.seq)),
    loggedColumns,
  ),
  deliveries: reader(
    orm
      .select(loggedColumns)
      .from(eventLog)
      .where(and(gt(eventLog.seq, sql.placeholder("afterSeq")), isOfType("DeliveryChanged", "DeliveryGap", "LogRolledBack")))
      .orderBy(asc(eventLog.seq)),
    loggedColumns,
  ),
  cursor: reader(orm.select().from(ingestCursor), getTableColumns(ingestCursor)),
  upsertCursor: upserter(ingestCursor, ingestCursor.id),
};

export function deliveryRows(database: Database, archived: ArchiveRows) {
  const { delivery, deliveries, cursor, upsertCursor } = prepareAll(statements, database);
  const newerInStream = database.prepare<NewerInStream, { seq: number; streamSequence: number }>(NEWER_IN_STREAM);
  const keyBefore = database.prepare<{ created: string; before: string; afterSeq: number }, string>(KEY_BEFORE).pluck();
  const archivedBefore = database.prepare<{ created: string; sequence: number }, KnownMessage>(ARCHIVED_BEFORE);
  const clones = database.prepare<[], string>(CLONES).pluck();
  const contestedRuns = database.prepare<[], readonly string[]>(CONTESTED_RUNS).raw();
  const receivedByCore = database.prepare<{ afterSeq: number; sinceMs: number }, CoreMessageCount>(RECEIVED_BY_CORE);

  /** All of them, including archived ones. */
  const allDeliveries = () => {
    const afterSeq = archived.newestAnchor()?.lastSeq ?? 0;
    return [...archived.archivedDeliveries(), ...deliveries.all({ afterSeq })].map(logEntryOf) as LogEntry<DeliveryEvent>[];
  };
  /** The newest row that records a rewind of the stream; 0 if there is none. */
  const rewoundSeq = (created: string): number =>
    allDeliveries().findLast(({ event }) => event.reason === "reused" && event.streamCreated === created)?.seq ?? 0;

  return {
    /** The newest row about the same peer or resource in this stream, in the log or archived, if it is after `streamSequence`. */
    newerInStream: ({ peerId, resourceId }: DesiredEvent, { created }: BrokerStream, streamSequence: number) =>
      newerInStream.get({ peerId, resourceId, created, streamSequence }),
    /** The current delivery guarantee, and the row that set it. */
    delivery: (): { readonly seq: number; readonly event: DeliveryChanged } | undefined => {
      const row = delivery.get() ?? archived.archivedDeliveries().findLast(({ type }) => type === "DeliveryChanged");
      if (row === undefined) return undefined;
      const { seq, event } = logEntryOf(row);
      return event.type === "DeliveryChanged" ? { seq, event } : undefined;
    },
    deliveries: allDeliveries,
    /** As Store.contestedRuns. */
    contestedRuns: (): readonly string[] => contestedRuns.all().flat(),
    /** As Store.clonesSeen. */
    clonesSeen: (): readonly string[] => [...archived.archivedRuns().clones.map(({ run }) => run), ...clones.all()],
    /** As Store.knownMessages. */
    knownMessages: ({ created }: BrokerStream, sequence: number, limit: number): readonly KnownMessage[] => {
      const found = new Map<number, KnownMessage>();
      // A rewound stream reuses the sequences of the messages before; when an archived one came is unknown.
      const afterSeq = rewoundSeq(created);
      for (let distance = 0; distance <= sequence && found.size < limit; distance = distance * 2 + 1) {
        const upTo = sequence - distance;
        // "0" follows "/", so this is above every key of `upTo`.
        const key = parseDedupeKey(keyBefore.get({ created, before: `${created}/${upTo}0`, afterSeq }) ?? "");
        const archivedMessage = afterSeq === 0 ? archivedBefore.get({ created, sequence: upTo }) : undefined;
        if (key !== undefined && key.sequence <= sequence)
          found.set(key.sequence, { sequence: key.sequence, messageHash: key.hash });
        if (archivedMessage !== undefined) found.set(archivedMessage.sequence, archivedMessage);
      }
      return [...found.values()].sort((one, other) => other.sequence - one.sequence).slice(0, limit);
    },
    /** Messages received by core NATS after that row and that time, archived or not, with the number of messages of the same bytes. */
    receivedByCore: (afterSeq: number, sinceMs: number) => receivedByCore.all({ afterSeq, sinceMs }),
    cursor: (): Cursor | undefined => {
      const row = cursor.get();
      return row && cursorOf(row);
    },
    setCursor: (moved: Cursor) => upsertCursor(cursorRowOf(moved)),
  };
}
