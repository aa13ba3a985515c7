/** Checks the remains of archived messages, by which redeliveries are recognized: every message is there, and no other. */
import type { Database } from "better-sqlite3";
import { type ArchivedState, coreMessageItem, messageItem } from "../fold/archived-state.ts";
import { type SetDigest, SetDigester } from "../fold/set-digest.ts";
import type { Finding } from "../model/finding.ts";
import type { LogEntryRow } from "../model/log-entry.ts";

/** `states`: the states of all anchors. Rows up to `lastSeq` may not have been deleted yet. */
export function* archivedMessageFindings(
  database: Database,
  states: readonly ArchivedState[],
  lastSeq: number,
): Generator<Finding> {
  const [messages, coreMessages] = [new SetDigester(), new SetDigester()];
  for (const item of itemsOf(database, MESSAGES)) messages.add(item);
  for (const item of itemsOf(database, CORE_MESSAGES)) coreMessages.add(item);
  for (const row of database.prepare<[number], LeftoverRow>(LEFTOVERS).iterate(lastSeq)) {
    const [fromStream, byCore] = [messageItem(row), coreMessageItem(row)];
    if (fromStream !== undefined) messages.add(fromStream);
    if (byCore !== undefined) coreMessages.add(byCore);
  }
  for (const created of database.prepare<[], string>(UNUSED_STREAMS).pluck().iterate())
    yield { place: `archived_stream ${created}`, problem: "has no archived_message" };
  yield* digestFindings("archived_message", messages.digest(), totalOf(states.map((state) => state.messages)));
  yield* digestFindings("archived_core_message", coreMessages.digest(), totalOf(states.map((state) => state.coreMessages)));
}

type LeftoverRow = Pick<LogEntryRow, "seq" | "atMs" | "dedupeKey" | "streamSequence" | "subject" | "payloadSha256">;

const MESSAGES = `select created, stream_sequence, message_hash
  from archived_message left join archived_stream on archived_stream.id = archived_message.stream_id`;
const UNUSED_STREAMS = "select created from archived_stream where id not in (select stream_id from archived_message)";
const CORE_MESSAGES = "select seq, at_ms, subject, payload_sha256 from archived_core_message";
const LEFTOVERS = `select seq, at_ms as atMs, dedupe_key as dedupeKey, stream_sequence as streamSequence, subject,
  payload_sha256 as payloadSha256 from event_log where seq <= ?`;

function itemsOf(database: Database, query: string): Iterable<(string | number)[]> {
  return database.prepare<[], (string | number)[]>(query).raw().iterate();
}

function totalOf(digests: readonly SetDigest[]): SetDigest {
  const total = new SetDigester();
  for (const digest of digests) total.addAll(digest);
  return total.digest();
}

function* digestFindings(place: string, found: SetDigest, expected: SetDigest): Generator<Finding> {
  if (found.count !== expected.count)
    yield { place, problem: `has ${found.count} messages, the archives have ${expected.count}` };
  else if (found.sum !== expected.sum) yield { place, problem: "has a message that the archives do not have" };
}
