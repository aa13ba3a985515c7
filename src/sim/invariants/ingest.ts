/** What the stream holds comes to the log: once, in order, in time, or it is on record why not; and what is acknowledged is there. */
import type { Database, Statement } from "better-sqlite3";
import { decodeMessage } from "../../events/decode.ts";
import type { DeliveryGap } from "../../events/types.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../events/vocabulary.ts";
import type { Cursor } from "../../store/model/cursor.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { StoredMessage } from "../broker/stored-message.ts";
import { CONVERGED_WITHIN_MS } from "./convergence.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** An issue of the project: reading goes on so soon after the broker is well. */
const READS_WITHIN_MS = 10_000;

interface OnDisk {
  readonly created: string;
  readonly sequence: number;
}

interface Queries {
  readonly reader: Database;
  readonly count: Statement<[string], number>;
  readonly countAfter: Statement<[string, number], number>;
  readonly cursor: Statement<[], OnDisk & { readonly firstSequence: number }>;
  readonly gaps: Statement<[number, number], number>;
  readonly lastBreak: Statement<[], number>;
  readonly breakAfter: Statement<[string], number>;
}

export function ingest(scene: Scene): Invariant {
  if (scene.settings.delivery === "at_most_once") return {};
  const { broker } = scene;
  const { stream } = broker;
  const acknowledged = new Set<string>();
  const told = { recreations: 0, setBacks: 0, seq: 0 };
  /** The last cursor that was seen, also while the daemon is down. */
  let cursor: Cursor | undefined;
  /** What the last row of a life may have told of, without anybody hearing of it. */
  let atEnd = stream.resets;
  /** How many times the stream had been set back when nothing showed that any more. */
  let hiddenSetBacks = 0;
  /** Of what was ever stored, where the acknowledged end. */
  let settled = 0;
  let floor: (OnDisk & { readonly setBacks: number }) | undefined;
  let disturbances = 0;
  let lastOf: OnDisk | undefined;
  let convergedByMs = Number.POSITIVE_INFINITY;
  let prepared: Queries | undefined;

  return {
    started() {
      hearOfLastBreak();
      floorIsOnDisk();
      acknowledgedIsLogged();
      disturb();
    },
    ended() {
      atEnd = stream.resets;
    },
    disturbed: disturb,
    published(message) {
      lookForHiddenSetBack();
      // What is lost on its way, or comes late, is a fault as any other.
      if (isPlain(message)) readingGoesOn();
      else disturb();
    },
    acknowledged(upTo) {
      floor = { created: stream.state.created, sequence: upTo, setBacks: stream.resets.setBacks };
      floorIsOnDisk();
      for (let next = stream.everStored[settled]; next !== undefined; next = stream.everStored[++settled]) {
        const loss = stream.lossOf(next);
        const isGone = loss === "recreated" || loss === "set_back";
        if (!isGone && next.sequence > upTo) break;
        if (isGone || (count(next) === 0 && (isIgnored(next) || isExcused(next)))) continue;
        acknowledged.add(next.dedupeKey);
        isThereOnce(next.dedupeKey);
      }
    },
    logged(row) {
      if (row.event.type === "DeliveryGap") gapIsOne(row, row.event);
      else isInOrder(row);
    },
    healed() {
      convergedByMs = scene.nowMs() + CONVERGED_WITHIN_MS;
    },
    stepped() {
      cursor = scene.daemon?.store.cursor() ?? cursor;
      if (scene.nowMs() < convergedByMs) return;
      convergedByMs = Number.POSITIVE_INFINITY;
      everyMessageIsLogged();
      everyBreakIsTold();
    },
    finished() {
      if (scene.daemon !== undefined) acknowledgedIsLogged();
    },
  };

  function queries(): Queries {
    const { reader } = scene.disk;
    if (prepared?.reader !== reader) {
      prepared = {
        reader,
        count: reader.prepare<[string], number>("select count(*) from event_log where dedupe_key = ?").pluck(),
        countAfter: reader
          .prepare<[string, number], number>("select count(*) from event_log where dedupe_key = ? and seq > ?")
          .pluck(),
        cursor: reader.prepare("select created, sequence, first_sequence as firstSequence from ingest_cursor"),
        gaps: reader
          .prepare<[number, number], number>(
            "select count(*) from event_log where type = 'DeliveryGap' and reason = 'purged' and stream_sequence <= ? and last_stream_sequence >= ? and seq > (select coalesce(max(seq), 0) from event_log where reason = 'recreated')",
          )
          .pluck(),
        lastBreak: reader
          .prepare<[], number>(
            "select coalesce(max(seq), 0) from event_log where type = 'DeliveryGap' and reason in ('recreated', 'reused')",
          )
          .pluck(),
        breakAfter: reader
          .prepare<[string], number>(
            "select count(*) from event_log where type = 'DeliveryGap' and reason != 'purged' and seq > (select seq from event_log where dedupe_key = ?)",
          )
          .pluck(),
      };
    }
    return prepared;
  }

  function count({ dedupeKey }: Pick<StoredMessage, "dedupeKey">): number {
    return queries().count.get(dedupeKey) ?? 0;
  }

  /** It was gone before the log came to follow the stream, or the log says that it is missing. */
  function isExcused(message: StoredMessage): boolean {
    if (hiddenSetBacks > told.setBacks) return true;
    if (stream.lossOf(message) === undefined) return false;
    const { sequence } = message;
    return sequence < (queries().cursor.get()?.firstSequence ?? 0) || (queries().gaps.get(sequence, sequence) ?? 0) > 0;
  }

  /** What a power loss would leave must hold what was acknowledged. */
  function floorIsOnDisk(): void {
    if (floor?.created !== stream.state.created || floor.setBacks !== stream.resets.setBacks) return;
    const onDisk = queries().cursor.get();
    if (onDisk?.created === floor.created && onDisk.sequence >= floor.sequence) return;
    const found = onDisk === undefined ? "nowhere" : `at ${onDisk.sequence} of the stream made at ${onDisk.created}`;
    scene.violated(
      "acknowledged-is-logged",
      `sequence ${floor.sequence} is acknowledged, and the cursor on the disk is ${found}`,
    );
  }

  function isThereOnce(dedupeKey: string): void {
    const found = count({ dedupeKey });
    if (found === 1) return;
    scene.violated("acknowledged-is-logged", `${dedupeKey} was acknowledged and is in the log ${found} times`);
  }

  function acknowledgedIsLogged(): void {
    for (const key of acknowledged) isThereOnce(key);
  }

  function hearOfLastBreak(): void {
    const seq = queries().lastBreak.get() ?? 0;
    if (seq === told.seq) return;
    Object.assign(told, { ...atEnd, seq });
    lastOf = undefined;
  }

  function isInOrder({ seq, dedupeKey, streamSequence }: LogEntry): void {
    if (dedupeKey === null || streamSequence === null) return;
    const [created = ""] = dedupeKey.split("/");
    // Behind a set-back that nothing shows, a resync finds late what comes first.
    if (hiddenSetBacks <= told.setBacks && lastOf?.created === created && streamSequence <= lastOf.sequence)
      scene.violated("stream-order", `#${seq} is sequence ${streamSequence} of the stream, and comes after ${lastOf.sequence}`);
    lastOf = { created, sequence: streamSequence };
  }

  /**
   * Where the stream was set back, grew past the cursor again, and does not hold what could be compared with it, there is nothing to be
   * noticed any more.
   */
  function lookForHiddenSetBack(): void {
    const { created, lastSequence } = stream.state;
    if (stream.resets.setBacks === told.setBacks || cursor?.created !== created || lastSequence < cursor.sequence) return;
    if (cursor.sequence === 0) return;
    const isUnknown = cursor.messageHash === null && cursor.sequence >= cursor.firstSequence;
    if (isUnknown || stream.at(cursor.sequence) === undefined) hiddenSetBacks = stream.resets.setBacks;
  }

  /** Of what came before the last break nobody can tell whether it is the message that is gone. */
  function gapIsOne({ seq, streamSequence }: LogEntry, { reason, lastStreamSequence }: DeliveryGap): void {
    const { recreations, setBacks } = stream.resets;
    const isOne = reason === "purged" || (reason === "recreated" ? recreations > told.recreations : setBacks > told.setBacks);
    if (!isOne) scene.violated("gap-is-one", `#${seq} says that the stream was ${reason}, and it was not`);
    if (reason !== "purged") {
      Object.assign(told, { recreations, setBacks, seq });
      lastOf = undefined;
      return;
    }
    const created = scene.daemon?.store.cursor()?.created;
    for (const message of stream.everStored) {
      if (message.created !== created || message.sequence < (streamSequence ?? 0)) continue;
      if (message.sequence > (lastStreamSequence ?? 0) || stream.lossOf(message) === "set_back") continue;
      if (stream.lossOf(message) === undefined)
        scene.violated("gap-is-one", `#${seq} says that the stream has lost sequence ${message.sequence}, and it holds it`);
      else if ((queries().countAfter.get(message.dedupeKey, told.seq) ?? 0) > 0)
        scene.violated("gap-is-one", `#${seq} says that the log never got sequence ${message.sequence}, and it is there`);
    }
  }

  function disturb(): void {
    disturbances += 1;
    lookForHiddenSetBack();
    readingGoesOn();
  }

  /** Unless something else happens meanwhile, after which there is as much time once more. */
  function readingGoesOn(): void {
    if (scene.daemon === undefined) return;
    const since = disturbances;
    const before = cursor;
    const { created } = stream.state;
    const newest = stream.newestHeld?.sequence ?? 0;
    scene.within(READS_WITHIN_MS, "reading-goes-on", () => {
      if (since !== disturbances || broker.state !== "up" || scene.disk.state !== "well") return undefined;
      if (cursor?.created === created && cursor.sequence >= newest) return undefined;
      // Many messages take their time, one round trip for each where reading has failed again and again.
      if (cursor?.created === created && (before?.created !== created || cursor.sequence !== before.sequence)) {
        readingGoesOn();
        return undefined;
      }
      const next = cursor?.created === created ? cursor.sequence + 1 : 1;
      if (stream.heldFrom(next).some((message) => !isPlain(message))) return undefined;
      return `the broker has been well for ${READS_WITHIN_MS} ms, and of its stream's ${newest} messages the log has got to ${next - 1}`;
    });
  }

  /** A broker that keeps what was not acknowledged has got rid of all of it by now. */
  function everyMessageIsLogged(): void {
    const reached = queries().cursor.get()?.sequence ?? 0;
    for (const message of stream.everStored) {
      const loss = stream.lossOf(message);
      if (loss === "recreated" || loss === "set_back") continue;
      const found = count(message);
      if (found === 1 || (found === 0 && (isIgnored(message) || isExcused(message)))) continue;
      if (loss === "removed" && message.sequence > reached) continue;
      scene.violated("every-message-is-logged", `message ${message.sequence} of the stream is in the log ${found} times`);
    }
  }

  /** What the log has of a stream that is no more: that it is no more is said, too. */
  function everyBreakIsTold(): void {
    for (const message of stream.everStored) {
      const loss = stream.lossOf(message);
      if (loss === undefined || loss === "removed" || hiddenSetBacks > told.setBacks || count(message) === 0) continue;
      if ((queries().breakAfter.get(message.dedupeKey) ?? 0) > 0) continue;
      const what = loss === "recreated" ? "made anew" : "set back";
      scene.violated("break-is-told", `message ${message.sequence} is of a stream that was ${what}, and the log does not say so`);
      return;
    }
  }
}

function isPlain({ deliveries }: StoredMessage): boolean {
  return deliveries.length === 1 && deliveries[0] === 0;
}

function isIgnored({ subject, bytes }: StoredMessage): boolean {
  return decodeMessage({ subject, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS).kind === "ignored";
}
