/** The prepared statements about how messages reach the log: the cursor, what was promised, what is missing. */
import type { Database } from "better-sqlite3";
import { and, asc, count, desc, eq, getTableColumns, gt, gte, inArray, isNotNull, isNull, or, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import type { DeliveryChanged, DeliveryEvent, DesiredEvent } from "../events/types.ts";
import { type Cursor, cursorOf, cursorRowOf } from "./cursor.ts";
import { type Logged, loggedOf } from "./logged.ts";
import { eventLog, ingestCursor } from "./schema.ts";
import { excluded, placeholders, reader, writer } from "./statement.ts";

const orm = drizzle.mock();

const { payload: _payload, payloadEncoding: _payloadEncoding, ...loggedColumns } = getTableColumns(eventLog);
const streamPlace = { seq: eventLog.seq, streamSequence: eventLog.streamSequence };
const receivedByCore = {
  subject: sql<string>`${eventLog.subject}`,
  payloadSha256: sql<string>`${eventLog.payloadSha256}`,
  count: count(),
};

const prepare = {
  newerInStream: reader(
    orm
      .select(streamPlace)
      .from(eventLog)
      .where(
        and(
          gt(eventLog.streamSequence, sql.placeholder("streamSequence")),
          or(eq(eventLog.peerId, sql.placeholder("peerId")), eq(eventLog.resourceId, sql.placeholder("resourceId"))),
        ),
      ),
    streamPlace,
  ),
  delivery: reader(
    orm.select(loggedColumns).from(eventLog).where(eq(eventLog.type, "DeliveryChanged")).orderBy(desc(eventLog.seq)),
    loggedColumns,
  ),
  deliveries: reader(
    orm
      .select(loggedColumns)
      .from(eventLog)
      .where(inArray(eventLog.type, ["DeliveryChanged", "DeliveryGap"]))
      .orderBy(asc(eventLog.seq)),
    loggedColumns,
  ),
  receivedByCore: reader(
    orm
      .select(receivedByCore)
      .from(eventLog)
      .where(
        and(
          isNull(eventLog.dedupeKey),
          isNotNull(eventLog.subject),
          isNotNull(eventLog.payloadSha256),
          gte(eventLog.atMs, sql.placeholder("sinceMs")),
        ),
      )
      .groupBy(eventLog.subject, eventLog.payloadSha256),
    receivedByCore,
  ),
  cursor: reader(orm.select().from(ingestCursor), getTableColumns(ingestCursor)),
  upsertCursor: writer<typeof ingestCursor.$inferInsert>(
    orm
      .insert(ingestCursor)
      .values(placeholders(ingestCursor))
      .onConflictDoUpdate({
        target: ingestCursor.id,
        set: excluded(ingestCursor),
      }),
  ),
};

export function deliveryRows(database: Database) {
  const newerInStream = prepare.newerInStream(database);
  const delivery = prepare.delivery(database);
  const deliveries = prepare.deliveries(database);
  const receivedByCore = prepare.receivedByCore(database);
  const cursor = prepare.cursor(database);
  const upsertCursor = prepare.upsertCursor(database);

  return {
    /** A row of the same peer or resource that stands later in the stream. */
    newerInStream: ({ peerId, resourceId }: DesiredEvent, streamSequence: number) =>
      newerInStream.get({ peerId, resourceId, streamSequence }),
    delivery: (): DeliveryChanged | undefined => {
      const row = delivery.get();
      const event = row && loggedOf(row).event;
      return event?.type === "DeliveryChanged" ? event : undefined;
    },
    deliveries: () => deliveries.all().map(loggedOf) as Logged<DeliveryEvent>[],
    /** What came by core NATS since then, and how often the same bytes did. Reads the whole log. */
    receivedByCore: (sinceMs: number) => receivedByCore.all({ sinceMs }),
    cursor: (): Cursor | undefined => {
      const row = cursor.get();
      return row && cursorOf(row);
    },
    setCursor: (moved: Cursor) => upsertCursor(cursorRowOf(moved)),
  };
}
