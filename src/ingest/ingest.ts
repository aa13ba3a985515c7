/** Decodes received bytes, appends each batch in one transaction, then wakes the peers concerned. */
import type { Clock } from "../base/clock.ts";
import { isFault, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { decodeMessage } from "../events/decode.ts";
import type { Ignored } from "../events/decoded.ts";
import { type MessageLimits, subjectsOf, type Vocabulary } from "../events/vocabulary.ts";
import type { BrokerPosition } from "../store/model/cursor.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import { AppendTrouble } from "../store/write/append-trouble.ts";
import type { IngestItem } from "../store/write/receive.ts";
import type { BatchOutcome, ReceivedMessage } from "./ingest-buffer.ts";

/** Outcome for a message. `changed` and `unchanged` are the effect of its event; the last three are not appended. */
export type IngestResult = "changed" | "unchanged" | "rejected" | "duplicate" | "echo" | "other_datatype" | "other_subject";

/** Messages of one integer datatype that were ignored since the start. */
export interface IgnoredDatatype {
  readonly datatype: string;
  readonly messages: number;
}

/** Most datatypes that are counted, and logged once each: an enum has a few dozen values, and more of them are noise. */
const MAX_NAMED_DATATYPES = 64;

interface IngestObserver {
  /** Called once for each message, after its batch is in the log. */
  received(result: IngestResult): void;
  /** A batch could not be appended; it will be handed over again. */
  appendFailed(error: PartnerdError): void;
}

interface IngestDependencies {
  readonly vocabulary: Vocabulary;
  readonly limits: MessageLimits;
  readonly log: Pick<Store, "appendReceived">;
  readonly clock: Clock;
  /** Asks the reconciler to look at a peer again. */
  readonly wake: (peerId: PeerId) => void;
  readonly logger: Logger;
  readonly observer: IngestObserver;
}

type Appended = ReturnType<Store["appendReceived"]> | Exclude<BatchOutcome, "done">;

export class Ingest {
  readonly #dependencies: IngestDependencies;
  readonly #ignoredDatatypes = new Map<string, number>();
  readonly #trouble = new AppendTrouble();
  readonly #subjects: ReadonlySet<string>;

  constructor(dependencies: IngestDependencies) {
    this.#dependencies = dependencies;
    this.#subjects = new Set(subjectsOf(dependencies.vocabulary));
  }

  /** Why appending fails; null while it works, or if it has failed only for a moment. */
  get failing(): PartnerdError | null {
    return this.#trouble.reported;
  }

  /** Integers that may be how the publishers spell PEER, most frequent first. */
  ignoredDatatypes(): readonly IgnoredDatatype[] {
    const ignored = [...this.#ignoredDatatypes].map(([datatype, messages]) => ({ datatype, messages }));
    return ignored.sort((one, other) => other.messages - one.messages);
  }

  /**
   * Appends the whole batch, which is then on disk, or none of it if the log cannot be written (`retryMs`). Never throws because of
   * a message's contents.
   */
  take(batch: readonly ReceivedMessage[]): BatchOutcome {
    const { vocabulary, limits } = this.#dependencies;
    const ignored: IngestResult[] = [];
    const items: IngestItem[] = [];
    for (const { subject, bytes, sha256, dedupeKey, position, gaps = [] } of batch) {
      items.push(...gaps);
      // A stream may hold messages of other programs, which may well look like ours.
      if (!this.#subjects.has(subject)) {
        ignored.push("other_subject");
        continue;
      }
      const decoded = decodeMessage({ subject, bytes }, vocabulary, limits);
      if (decoded.kind === "ignored") ignored.push(this.#ignore(decoded));
      else items.push({ decoded, subject, payload: bytes, sha256, dedupeKey, streamSequence: position?.sequence });
    }
    const rows = this.#append(items, newestPosition(batch));
    if ("retryMs" in rows) return rows;
    for (const result of ignored) this.#dependencies.observer.received(result);
    for (const row of rows) this.#appended(row);
    return "done";
  }

  /** An unknown integer may be how this publisher spells PEER (docs/WIRE.md), so the first of each is logged. */
  #ignore({ reason, datatype, source }: Ignored): IngestResult {
    const ignored = this.#ignoredDatatypes;
    if (reason !== "other_datatype" || !/^\d+$/.test(datatype)) return reason;
    const before = ignored.get(datatype);
    if (before === undefined && ignored.size >= MAX_NAMED_DATATYPES) return reason;
    ignored.set(datatype, (before ?? 0) + 1);
    if (before === undefined) {
      this.#dependencies.logger.warn(
        { datatype, app: source },
        "ignoring events of this integer datatype; if it means PEER, add it to events.peerDatatypes",
      );
    }
    return reason;
  }

  #append(items: readonly IngestItem[], position?: BrokerPosition): Appended {
    if (items.length === 0 && position === undefined) return [];
    const { log, clock, logger, observer } = this.#dependencies;
    try {
      const rows = log.appendReceived(items, position);
      if (this.#trouble.succeeded())
        logger.info({ messages: items.length }, "event log is writable again; received events appended");
      return rows;
    } catch (thrown) {
      const error = toPartnerdError(thrown, "database_failed");
      const { retryMs, reported } = this.#trouble.failed(error, clock.monotonicMs());
      const isNew = reported?.isNew === true;
      if (isNew && isFault(error)) logger.fault("ingest", error, { messages: items.length });
      else if (isNew) {
        logger.error(
          { code: error.code, error: error.message, nextStep: error.nextStep, messages: items.length },
          "cannot append received events to the log; keeping them and retrying",
        );
      }
      observer.appendFailed(error);
      return { retryMs };
    }
  }

  #appended(row: LogEntry | "duplicate"): void {
    const { wake, logger, observer } = this.#dependencies;
    if (row === "duplicate") {
      observer.received("duplicate");
      return;
    }
    const { event, seq, causeSeq, subject, source } = row;
    if (event.type === "DeliveryGap") return;
    observer.received(row.effect ?? "rejected");
    if (event.type === "PeerDesired" || event.type === "PeerRemoved") {
      wake(event.peerId);
      if (row.supersededPeerId !== null) wake(row.supersededPeerId);
    } else if (event.type === "EventRejected") {
      logger.warn(
        { seq, ...(causeSeq !== null && { causeSeq }), subject, app: source, reason: event.reason, error: event.message },
        "rejected an unusable event; it is kept in the log",
      );
    }
  }
}

/** While a batch waits for the disk, the broker redelivers messages of it, so that the last one may be older than others. */
function newestPosition(batch: readonly ReceivedMessage[]): BrokerPosition | undefined {
  let newest: BrokerPosition | undefined;
  for (const { position } of batch) if (position !== undefined && position.sequence > (newest?.sequence ?? 0)) newest = position;
  return newest;
}
