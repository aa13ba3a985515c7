/**
 * The core, shared by the daemon and the simulator: everything between a received message and a stream. It depends only on ports: the
 * daemon passes the real parts, the simulator decorates some of them.
 */
import type { Clock, Random } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { RunId } from "../events/types.ts";
import type { MessageLimits, Vocabulary } from "../events/vocabulary.ts";
import { Ingest, type IngestResult } from "../ingest/ingest.ts";
import { IngestBuffer } from "../ingest/ingest-buffer.ts";
import type { AdmissionPolicy } from "../p2p/registry/admission-policy.ts";
import { PARTNER_PROTOCOL } from "../p2p/wire/constants.ts";
import { type AdmissionRule, admissionVerdict } from "../reconciler/admission.ts";
import type { ReconcilerObserver, ReconcilerOptions } from "../reconciler/options.ts";
import type { DesiredPeers, PartnerStreams } from "../reconciler/ports.ts";
import { Reconciler } from "../reconciler/reconciler.ts";
import type { Store } from "../store/store.ts";

export interface CorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly desired: DesiredPeers;
  readonly log: Pick<Store, "appendReceived">;
  /** Created before the core. The caller disposes it after the core. */
  readonly streams: PartnerStreams;
  /** Wakes a key of the core's reconciler. The partner streams get the same function. */
  readonly wake: (peerId: PeerId) => void;
  readonly observer: ReconcilerObserver;
  /** Called once per message, with its outcome. */
  readonly onReceived: (result: IngestResult | "dropped") => void;
  readonly onAppendFailed: (kind: "append" | "locked") => void;
}

export interface CoreOptions {
  readonly self: PeerId;
  readonly run: RunId;
  readonly reconcile: Omit<ReconcilerOptions, "self" | "admissionRule" | "protocol" | "run">;
  readonly admissionRule: AdmissionRule;
  readonly vocabulary: Vocabulary;
  readonly limits: MessageLimits;
}

/** Disposing it drains: it accepts no new events and waits for operations to settle. */
export interface Core extends AsyncDisposable {
  readonly reconciler: Reconciler;
  readonly ingest: Ingest;
  readonly buffer: IngestBuffer;
}

/** The admission policy of the log. Separate from the core, because the libp2p host needs it first. */
export function admissionPolicyOf(desired: Pick<DesiredPeers, "get">, rule: AdmissionRule): AdmissionPolicy {
  return { verdictOn: (peerId) => admissionVerdict(desired.get(peerId), rule) };
}

/** Connects ingest and reconciler. Nothing is opened before `reconciler.start()`. */
export function createCore(ports: CorePorts, options: CoreOptions): Core {
  const { clock, logger, log, wake, onReceived, onAppendFailed } = ports;
  const { reconcile, run, self, admissionRule, vocabulary, limits } = options;
  const reconciler = new Reconciler(ports, { ...reconcile, run, admissionRule, self, protocol: PARTNER_PROTOCOL });
  const ingest = new Ingest({
    vocabulary,
    limits,
    log,
    clock,
    wake,
    logger,
    observer: {
      received: onReceived,
      appendFailed: ({ details }) => onAppendFailed(details.isPassing === true ? "locked" : "append"),
    },
  });
  const buffer: IngestBuffer = new IngestBuffer({
    clock,
    onBatch: (batch) => ingest.take(batch),
    onDrop: () => onReceived("dropped"),
    onLost: (messages) => logger.error({ messages }, "received events could not be written to the log and are lost"),
    onOverflow: () => logger.error({ dropped: buffer.counts().dropped }, "ingest buffer full; dropping new events"),
  });
  return {
    reconciler,
    ingest,
    buffer,
    [Symbol.asyncDispose]: async () => {
      await buffer.drain();
      await reconciler.stop();
    },
  };
}
