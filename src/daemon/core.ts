/**
 * What the daemon and the simulator have in common: the way from a message to a stream, and from what happened back to the log.
 * The edges (libp2p host, database, clock, chance) are passed in.
 */
import type { Clock, Random } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { MessageLimits, Vocabulary } from "../events/vocabulary.ts";
import { Ingest, type IngestResult } from "../ingest/ingest.ts";
import { IngestBuffer } from "../ingest/ingest-buffer.ts";
import { PARTNER_PROTOCOL } from "../p2p/constants.ts";
import type { SelfDescription, TimestampFormat } from "../p2p/heartbeat/codec.ts";
import { createPartnerStreams, type Libp2pPartnerStreams, type PartnerStreamsComponents } from "../p2p/partner-streams.ts";
import type { AdmissionPolicy } from "../p2p/registry/admission-policy.ts";
import { type InboundRule, inboundVerdict } from "../reconciler/decide.ts";
import type { ReconcilerObserver, ReconcilerOptions } from "../reconciler/options.ts";
import type { PartnerStreams } from "../reconciler/ports.ts";
import { Reconciler } from "../reconciler/reconciler.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import type { Recorder } from "./recorder.ts";

/** For those who watch the parts work, or make the ways between them fail. */
export interface CoreProbe {
  /** Hears what the recorder hears, and after it. */
  readonly observer: ReconcilerObserver;
  /** What the reconciler gets for the partner streams. */
  streams(streams: PartnerStreams): PartnerStreams;
  /** Stands between a change and the wake of its key. */
  wake(peerId: PeerId, wake: () => void): void;
}

export interface CoreDependencies {
  readonly store: Store;
  readonly recorder: Recorder;
  /** Not started yet, so that no peer finds it without the protocols. It stays the caller's to start and to stop. */
  readonly node: PartnerStreamsComponents["node"];
  readonly self: SelfDescription;
  readonly admission: AdmissionPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly options: CoreOptions;
  /** One call for each message: what became of it, and its row where it has one. */
  readonly onReceived: (result: IngestResult | "dropped", logged: LogEntry | null) => void;
  readonly onAppendFailed: () => void;
  /** Called with the row of each gap that is found while the stream is read. */
  readonly onGap?: (logged: LogEntry) => void;
  readonly probe?: CoreProbe;
}

interface CoreOptions {
  readonly reconcile: Omit<ReconcilerOptions, "self" | "inbound" | "protocol">;
  readonly inbound: InboundRule;
  readonly heartbeatTimestamp: TimestampFormat;
  readonly vocabulary: Vocabulary;
  readonly limits: MessageLimits;
}

/** Disposing it drains: no new events, operations ended, streams closed as `shutdown`. */
export interface Core extends AsyncDisposable {
  readonly streams: Libp2pPartnerStreams;
  readonly reconciler: Reconciler;
  readonly ingest: Ingest;
  readonly buffer: IngestBuffer;
}

/** Whom the log lets in. It is asked before the core is there: the libp2p host is made with it. */
export function admissionPolicyOf(store: Store, inbound: InboundRule): AdmissionPolicy {
  return { mayOpen: (peerId) => inboundVerdict(store.get(peerId), inbound) };
}

/** Closes in the log what a crash left open, and registers the protocols. Nothing is opened before `reconciler.start()`. */
export async function createCore(deps: CoreDependencies): Promise<Core> {
  const { store, recorder, clock, random, logger, options, probe } = deps;
  const dangling = recorder.closeOrphanedStreams();
  if (dangling > 0) logger.warn({ streams: dangling }, "the last run ended without closing its streams; the log closes them now");

  const wake = (peerId: PeerId) => {
    const now = () => reconciler.wake(peerId);
    if (probe === undefined) now();
    else probe.wake(peerId, now);
  };
  const streams = await createPartnerStreams({
    node: deps.node,
    clock,
    random,
    self: deps.self,
    admission: deps.admission,
    observer: { observed: (event) => recorder.observed(event), wake },
    options: { heartbeatTimestamp: options.heartbeatTimestamp },
  });
  const reconciler = new Reconciler(
    {
      desired: store,
      streams: probe?.streams(streams) ?? streams,
      observer: probe === undefined ? recorder : both(recorder, probe.observer),
      clock,
      random,
    },
    { ...options.reconcile, inbound: options.inbound, self: deps.self.peerId, protocol: PARTNER_PROTOCOL },
  );
  const ingest = new Ingest({
    vocabulary: options.vocabulary,
    limits: options.limits,
    log: store,
    wake,
    logger,
    observer: { received: deps.onReceived, appendFailed: deps.onAppendFailed, ...(deps.onGap && { gap: deps.onGap }) },
  });
  const buffer: IngestBuffer = new IngestBuffer({
    clock,
    onBatch: (batch) => ingest.take(batch),
    onDrop: () => deps.onReceived("dropped", null),
    onOverflow: () =>
      logger.error({ dropped: buffer.counts().dropped }, "events arrive faster than they can be logged; the newest are dropped"),
  });
  return {
    streams,
    reconciler,
    ingest,
    buffer,
    [Symbol.asyncDispose]: async () => {
      buffer[Symbol.dispose]();
      await reconciler.stop();
      await streams.dispose();
    },
  };
}

function both(first: ReconcilerObserver, second: ReconcilerObserver): ReconcilerObserver {
  return {
    observed: (event) => {
      first.observed(event);
      second.observed(event);
    },
    acted: (peerId, action) => {
      first.acted(peerId, action);
      second.acted(peerId, action);
    },
    settled: (peerId, outcome) => {
      first.settled(peerId, outcome);
      second.settled(peerId, outcome);
    },
    resyncFound: (peerId) => {
      first.resyncFound(peerId);
      second.resyncFound(peerId);
    },
  };
}
