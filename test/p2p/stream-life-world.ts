/** The real loop, backoff and registry between a desired state and far ends that do as they are told; every step of it is shown to the models. */

import { type ErrorCode, PartnerdError, toPartnerdError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import type { DesiredPeer, ObservedEvent } from "../../src/events/types.ts";
import { type StreamKey, StreamRegistry } from "../../src/p2p/registry/registry.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../../src/reconciler/options.ts";
import type { ActualPeer, CloseRequest, PartnerStreams } from "../../src/reconciler/ports.ts";
import { Reconciler } from "../../src/reconciler/reconciler.ts";
import { seededRandom } from "../../src/sim/time/random.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { ATTEMPT, RUN } from "../support/attempts.ts";
import { faulted } from "../support/partner-host.ts";
import { LifeModel, OPEN_TIMEOUT_MS } from "./stream-life-model.ts";

const PROTOCOL = "/heartbeat";
const SELF = "self" as PeerId;
export const PEERS = ["alice" as PeerId, "bob" as PeerId, SELF] as const;

interface Stream {
  /** Aborts waits for a proof of life on this stream. */
  readonly gone: AbortController;
  abort(error: Error): void;
}

type Settle = (failure?: PartnerdError) => void;

export type Models = ReadonlyMap<PeerId, LifeModel>;

export class World implements PartnerStreams {
  readonly clock = new VirtualClock();
  readonly models: Models = new Map(
    PEERS.map((peerId) => [
      peerId,
      new LifeModel(() => ({ nowMs: this.clock.monotonicMs(), livedMs: this.#livedMs() }), peerId === SELF),
    ]),
  );
  readonly #desired = new Map<PeerId, DesiredPeer>();
  readonly #opening = new Map<PeerId, Settle>();
  readonly #signsOfLife = new Map<PeerId, number>();
  readonly #connected = new Set<PeerId>();
  #stalledMs = 0;
  readonly events: ObservedEvent[] = [];
  /** How often the periodic diff found work that no wake had announced. */
  resyncFound = 0;
  readonly #registry: StreamRegistry<Stream>;
  readonly reconciler: Reconciler;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#registry = new StreamRegistry<Stream>({
      clock: this.clock,
      random,
      leaseTime: { nowMs: () => this.#livedMs() },
      observer: { observed: (event) => this.#observed(event), wake: (peerId) => this.reconciler.wake(peerId) },
    });
    this.reconciler = new Reconciler(
      {
        desired: { get: (peerId) => this.#desired.get(peerId), list: () => [...this.#desired.values()] },
        streams: this,
        observer: {
          observed: (event) => this.#observed(event),
          acted: () => {},
          settled: () => {},
          faulted: (peerId, { error }) => faulted(peerId, error),
          resyncFound: () => {
            this.resyncFound += 1;
          },
        },
        clock: this.clock,
        random,
      },
      {
        ...DEFAULT_RECONCILER_OPTIONS,
        openTimeoutMs: OPEN_TIMEOUT_MS,
        run: RUN,
        self: SELF,
        admissionRule: "unless-revoked",
        protocol: PROTOCOL,
      },
    );
  }

  // Called by commands.

  desire(desired: DesiredPeer): void {
    this.#desired.set(desired.peerId, desired);
    this.reconciler.wake(desired.peerId);
  }

  /** The far end answers the current open with a stream or a failure. */
  answer(peerId: PeerId, failure?: ErrorCode): void {
    const settle = this.#opening.get(peerId);
    if (failure === undefined) settle?.();
    else settle?.(new PartnerdError(failure, "as told"));
  }

  lose(peerId: PeerId): void {
    this.#registry.close(outboundOf(peerId), "reset");
  }

  showLife(peerId: PeerId): void {
    this.#signsOfLife.set(peerId, this.clock.monotonicMs());
    this.#connected.add(peerId);
    this.reconciler.wake(peerId);
  }

  openInbound(peerId: PeerId): void {
    this.#connected.add(peerId);
    this.#registry.register(inboundOf(peerId), streamOf(), null, ATTEMPT);
  }

  heartbeat(peerId: PeerId): void {
    const stream = this.#registry.get(inboundOf(peerId));
    if (stream !== undefined && this.#registry.renew(inboundOf(peerId), stream)) this.#model(peerId).renewed("inbound");
  }

  stall(durationMs: number): void {
    this.clock.stall(durationMs);
    this.#stalledMs += durationMs;
  }

  // Called by the loop.

  actual(peerId: PeerId): ActualPeer {
    return {
      peerId,
      ...this.#registry.actual(PROTOCOL, peerId),
      connected: this.#connected.has(peerId),
      dialled: false,
      lastSignOfLifeMs: this.#signsOfLife.get(peerId) ?? null,
    };
  }

  peers(): readonly PeerId[] {
    return this.#registry.peers(PROTOCOL);
  }

  open({ peerId, generation }: DesiredPeer, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#model(peerId).openStarted(generation);
    const settle: Settle = (failure) => {
      this.#opening.delete(peerId);
      signal.removeEventListener("abort", onAbort);
      if (failure !== undefined) return reject(failure);
      this.#connected.add(peerId);
      this.#registry.register(outboundOf(peerId), streamOf(), null, ATTEMPT);
      resolve();
    };
    const onAbort = () => {
      const reason = toPartnerdError(signal.reason);
      if (reason.code === "aborted") this.#model(peerId).openAborted();
      settle(reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#opening.set(peerId, settle);
    return promise;
  }

  renew(peerId: PeerId, signal: AbortSignal): Promise<void> {
    const stream = this.#registry.get(outboundOf(peerId));
    if (stream === undefined) return Promise.reject(new PartnerdError("stream_lost", "there is no stream to renew"));
    const model = this.#model(peerId);
    if (!model.silent) {
      this.#registry.renew(outboundOf(peerId), stream);
      model.renewed("outbound");
      return Promise.resolve();
    }
    const over = AbortSignal.any([signal, stream.gone.signal]);
    const { promise, reject } = Promise.withResolvers<void>();
    over.addEventListener("abort", () => reject(toPartnerdError(over.reason)), { once: true });
    return promise;
  }

  close(peerId: PeerId, { direction, reason, dropConnections }: CloseRequest): void {
    if (dropConnections) this.#connected.delete(peerId);
    if (direction !== "inbound") this.#registry.close(outboundOf(peerId), reason);
    if (direction !== "outbound") this.#registry.close(inboundOf(peerId), reason);
  }

  #observed(event: ObservedEvent): void {
    this.events.push(event);
    const model = this.#model(event.peerId);
    if (event.type === "StreamOpened") model.streamOpened(event.direction);
    else if (event.type === "StreamClosed") model.streamClosed(event.direction, event.reason);
    else if (event.type === "OpenFailed") model.openFailed(event.reason);
  }

  #livedMs(): number {
    return this.clock.monotonicMs() - this.#stalledMs;
  }

  #model(peerId: PeerId): LifeModel {
    const model = this.models.get(peerId);
    if (model === undefined) throw new Error(`${peerId} has no model`);
    return model;
  }
}

function streamOf(): Stream {
  const gone = new AbortController();
  return { gone, abort: (error) => gone.abort(error) };
}

const outboundOf = (peerId: PeerId): StreamKey => ({ protocol: PROTOCOL, peerId, direction: "outbound" });
const inboundOf = (peerId: PeerId): StreamKey => ({ protocol: PROTOCOL, peerId, direction: "inbound" });
