/**
 * Bounds the rows of the log that peers can cause (docs/adr/0016-row-budgets.md). All strangers share one budget, and each known peer
 * has one for its failures. Events beyond a budget are counted, and one EventsSuppressed a minute has the counts. Every stream of a
 * known peer gets its rows. A StreamClosed gets a row if and only if its StreamOpened got one, so the log never shows a stream as
 * open that is closed.
 */
import type { Clock } from "../../base/clock.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { TokenBucket } from "../../base/rate/token-bucket.ts";
import { RecentMap } from "../../base/recent-map.ts";
import type { InboundRefused, ObservedEvent, OpenFailed, StreamClosed, StreamOpened } from "../../events/types.ts";
import type { Observation } from "../../store/write/own-event-appender.ts";
import { SuppressedEvents } from "./suppressed-events.ts";

/** Together with MAX_LOGGED_STREAMS at most 47 rows in any minute: the burst, the refill, all closes at once, and the summary. */
const STRANGERS = { burst: 24, perSecond: 1 / 10 };
/** Streams of strangers that are open in the log at a time. Their closes need rows even if they all come at once. */
const MAX_LOGGED_STREAMS = 16;
/** FailureRecord of one known peer: at most 11 rows in any minute, with the summary. Repeats of the same failure need no row. */
const FAILURES = { burst: 6, perSecond: 1 / 15 };
const SUMMARY_AFTER_MS = 60_000;
/** Bounds the memory for failures, of known peers and of strangers. */
const MAX_PEERS = 16_384;

interface RowBudgetInit {
  readonly clock: Clock;
  /** Called with every observation that gets a row, or repeats one that did; in order. */
  readonly write: (observation: Observation) => void;
}

/** An observation of a peer, before it is decided whether it gets a row. `causeSeq` is null for a stranger. */
type Observed<Event extends ObservedEvent = ObservedEvent> = Observation & { readonly event: Event };

interface FailureRecord {
  readonly bucket: TokenBucket;
  /** The newest failure of each type that got a row. Another one of the same reason only adds to the count of that row. */
  readonly last: Map<ObservedEvent["type"], ErrorCode>;
}

interface StrangerStream {
  readonly opened: Observed<StreamOpened>;
  readonly isLogged: boolean;
}

interface Suppressed {
  readonly events: SuppressedEvents;
  /** Of the newest event. */
  causeSeq: number | null;
  readonly timer: Disposable;
}

/** Disposing it writes the summaries. */
export class RowBudget implements Disposable {
  readonly #init: RowBudgetInit;
  readonly #strangers: TokenBucket;
  readonly #failuresOfKnown = new RecentMap<PeerId, FailureRecord>(MAX_PEERS);
  readonly #failuresOfStrangers = new RecentMap<PeerId, FailureRecord>(MAX_PEERS);
  /** Open streams of peers that were strangers when they opened, oldest first. No more than the registry has. */
  readonly #streams = new Map<PeerId, StrangerStream[]>();
  #loggedStreams = 0;
  /** By peer; null for strangers. */
  readonly #suppressed = new Map<PeerId | null, Suppressed>();

  constructor(init: RowBudgetInit) {
    this.#init = init;
    this.#strangers = new TokenBucket(STRANGERS);
  }

  put(observation: Observed): void {
    const { event } = observation;
    switch (event.type) {
      case "StreamOpened":
        this.#opened({ ...observation, event });
        break;
      case "StreamClosed":
        this.#closed({ ...observation, event });
        break;
      case "OpenFailed":
      case "InboundRefused":
        this.#failed({ ...observation, event });
        break;
    }
  }

  /** A desired event has named this peer. Writes the opening of each stream that it opened as a stranger and that has no row yet. */
  named(peerId: PeerId): void {
    const streams = this.#streams.get(peerId) ?? [];
    this.#streams.delete(peerId);
    for (const { opened, isLogged } of streams) {
      if (isLogged) this.#loggedStreams -= 1;
      else this.#init.write(opened);
    }
  }

  [Symbol.dispose](): void {
    for (const peerId of this.#suppressed.keys()) this.#summarize(peerId);
  }

  #opened(opened: Observed<StreamOpened>): void {
    const { event, causeSeq } = opened;
    const isLogged = causeSeq !== null || this.#mayLogStream();
    if (isLogged) {
      const failures = causeSeq === null ? this.#failuresOfStrangers : this.#failuresOfKnown;
      failures.get(event.peerId)?.last.delete(event.direction === "outbound" ? "OpenFailed" : "InboundRefused");
      this.#init.write(opened);
    } else this.#count(opened);
    if (causeSeq !== null) return;
    if (isLogged) this.#loggedStreams += 1;
    this.#streams.set(event.peerId, [...(this.#streams.get(event.peerId) ?? []), { opened, isLogged }]);
  }

  #mayLogStream(): boolean {
    return this.#loggedStreams < MAX_LOGGED_STREAMS && this.#strangers.take(1, this.#init.clock.monotonicMs());
  }

  #closed(closed: Observed<StreamClosed>): void {
    const stream = this.#takeStream(closed.event);
    if (stream?.isLogged === false) {
      this.#count(closed);
      return;
    }
    if (stream !== undefined) {
      this.#loggedStreams -= 1;
      this.#strangers.spend(1, this.#init.clock.monotonicMs());
    }
    this.#init.write(closed);
  }

  /** A newer stream replaces the older one in its slot, so the oldest ends first. */
  #takeStream({ peerId, protocol, direction }: StreamClosed): StrangerStream | undefined {
    const streams = this.#streams.get(peerId) ?? [];
    const ended = streams.find(({ opened: { event } }) => event.protocol === protocol && event.direction === direction);
    const left = streams.filter((stream) => stream !== ended);
    if (left.length > 0) this.#streams.set(peerId, left);
    else this.#streams.delete(peerId);
    return ended;
  }

  #failed(failed: Observed<OpenFailed | InboundRefused>): void {
    const { peerId, type, reason } = failed.event;
    const { bucket, last } = this.#failuresOf(peerId, failed.causeSeq);
    if (last.get(type) === reason) {
      this.#init.write(failed);
      return;
    }
    if (!bucket.take(1, this.#init.clock.monotonicMs())) {
      this.#count(failed);
      return;
    }
    last.set(type, reason);
    this.#init.write(failed);
  }

  #failuresOf(peerId: PeerId, causeSeq: number | null): FailureRecord {
    const peers = causeSeq === null ? this.#failuresOfStrangers : this.#failuresOfKnown;
    const bucket = causeSeq === null ? this.#strangers : new TokenBucket(FAILURES);
    const failures = peers.get(peerId) ?? { bucket, last: new Map() };
    peers.set(peerId, failures);
    return failures;
  }

  #count({ event, causeSeq }: Observed): void {
    const { clock } = this.#init;
    const peerId = causeSeq === null ? null : event.peerId;
    const suppressed = this.#suppressed.get(peerId) ?? {
      events: new SuppressedEvents(peerId, clock.monotonicMs()),
      causeSeq,
      timer: clock.schedule(SUMMARY_AFTER_MS, () => this.#summarize(peerId)),
    };
    suppressed.events.count(event);
    suppressed.causeSeq = causeSeq;
    this.#suppressed.set(peerId, suppressed);
  }

  #summarize(peerId: PeerId | null): void {
    const { clock, write } = this.#init;
    const suppressed = this.#suppressed.get(peerId);
    if (suppressed === undefined) return;
    this.#suppressed.delete(peerId);
    suppressed.timer[Symbol.dispose]();
    write({ event: suppressed.events.summary(clock.monotonicMs()), atMs: clock.wallMs(), causeSeq: suppressed.causeSeq });
  }
}
