/** From received bytes to the log: decode, append a batch in one transaction, then wake whom it concerns. */
import { isSameFailure, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { decodeMessage } from "../events/decode.ts";
import type { Ignored } from "../events/decoded.ts";
import type { MessageLimits, Vocabulary } from "../events/vocabulary.ts";
import type { BrokerPosition } from "../store/model/cursor.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import type { IngestItem } from "../store/write/receive.ts";
import type { BatchOutcome, ReceivedMessage } from "./ingest-buffer.ts";

/** What became of a message. `changed` and `unchanged`: the effect that its event had; `echo` and `other_datatype` are not appended. */
export type IngestResult = "changed" | "unchanged" | "rejected" | "duplicate" | "echo" | "other_datatype";

/** An enum has a few dozen values; more is somebody's noise. */
const MAX_NAMED_DATATYPES = 64;

interface IngestObserver {
  /** One call for each message, after its batch is in the log; `entry` is its row, where it has one. */
  received(result: IngestResult, entry: LogEntry | null): void;
  /** Messages are missing from the broker's stream; their gap is in the log. */
  gap?(entry: LogEntry): void;
  /** A batch could not be appended; it will be handed over again. */
  appendFailed(error: PartnerdError): void;
}

interface IngestDependencies {
  readonly vocabulary: Vocabulary;
  readonly limits: MessageLimits;
  readonly log: Pick<Store, "appendReceived">;
  /** Tells the reconciler to look at a peer again. */
  readonly wake: (peerId: PeerId) => void;
  readonly logger: Logger;
  readonly observer: IngestObserver;
}

export class Ingest {
  readonly #dependencies: IngestDependencies;
  readonly #namedDatatypes = new Set<string>();
  #failing: PartnerdError | null = null;

  constructor(dependencies: IngestDependencies) {
    this.#dependencies = dependencies;
  }

  /** Why the newest append failed; null while appending works. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  /**
   * Takes the whole batch, which is then on the disk, or, where the log cannot be written, nothing of it (`retry`). Never throws
   * over what a message holds.
   */
  take(batch: readonly ReceivedMessage[]): BatchOutcome {
    const { vocabulary, limits } = this.#dependencies;
    const ignored: IngestResult[] = [];
    const items: IngestItem[] = [];
    for (const { subject, bytes, sha256, dedupeKey, position, gap } of batch) {
      if (gap !== undefined) items.push(gap);
      const decoded = decodeMessage({ subject, bytes }, vocabulary, limits);
      if (decoded.kind === "ignored") ignored.push(this.#ignore(decoded));
      else items.push({ decoded, subject, payload: bytes, sha256, dedupeKey, streamSequence: position?.sequence });
    }
    const rows = this.#append(items, batch.findLast(({ position }) => position !== undefined)?.position);
    if (rows === undefined) return "retry";
    for (const result of ignored) this.#dependencies.observer.received(result, null);
    for (const row of rows) this.#appended(row);
    return "done";
  }

  /** An integer may be how this publisher says PEER (WIRE); nobody would know why nothing happens if that passed in silence. */
  #ignore({ reason, datatype, source }: Ignored): IngestResult {
    const named = this.#namedDatatypes;
    if (reason === "other_datatype" && /^\d+$/.test(datatype) && !named.has(datatype) && named.size < MAX_NAMED_DATATYPES) {
      named.add(datatype);
      this.#dependencies.logger.warn(
        { datatype, source },
        "events of this integer datatype are ignored; if it is how the publisher says PEER, add it to events.peerDatatypes",
      );
    }
    return reason;
  }

  #append(items: readonly IngestItem[], position?: BrokerPosition): ReturnType<Store["appendReceived"]> | undefined {
    if (items.length === 0 && position === undefined) return [];
    const { log, logger, observer } = this.#dependencies;
    try {
      const rows = log.appendReceived(items, position);
      if (this.#failing !== null) logger.info({ messages: items.length }, "received events can be appended to the log again");
      this.#failing = null;
      return rows;
    } catch (thrown) {
      const error = toPartnerdError(thrown, "database_failed");
      if (!isSameFailure(this.#failing, error)) {
        logger.error(
          { code: error.code, error: error.message, nextStep: error.nextStep, messages: items.length },
          "received events cannot be appended to the log; they are kept, and tried again",
        );
      }
      this.#failing = error;
      observer.appendFailed(error);
      return undefined;
    }
  }

  #appended(row: LogEntry | "duplicate"): void {
    const { wake, logger, observer } = this.#dependencies;
    if (row === "duplicate") {
      observer.received("duplicate", null);
      return;
    }
    const { event, seq, subject, source } = row;
    if (event.type === "DeliveryGap") {
      logger.error({ seq, reason: event.reason }, event.message);
      observer.gap?.(row);
      return;
    }
    observer.received(row.effect ?? "rejected", row);
    if (event.type === "PeerDesired" || event.type === "PeerRemoved") {
      wake(event.peerId);
      if (row.supersededPeerId !== null) wake(row.supersededPeerId);
    } else if (event.type === "EventRejected") {
      logger.warn(
        { seq, subject, source, reason: event.reason, error: event.message },
        "received an event that cannot be used; it is kept in the log",
      );
    }
  }
}
