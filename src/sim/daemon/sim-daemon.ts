/** The daemon under test: the program's core and partner streams in a simulated process that can crash at any outgoing call. */
import type { Random } from "../../base/clock.ts";
import { toPartnerdError } from "../../base/errors.ts";
import { type Address, didOf, type PeerId } from "../../base/ids.ts";
import { type Logger, silentLogger } from "../../base/log.ts";
import { admissionPolicyOf, type Core, createCore } from "../../daemon/core.ts";
import { Recorder, type RecorderMetrics } from "../../daemon/recorder.ts";
import type { ObservedEvent, RunId } from "../../events/types.ts";
import { DEFAULT_LIMITS, type Vocabulary } from "../../events/vocabulary.ts";
import type { Fixture } from "../../fixture/format/schema.ts";
import { NO_CUTS } from "../../p2p/budgets/cuts.ts";
import { dialAsGiven } from "../../p2p/dial/dial-planner.ts";
import { createGater } from "../../p2p/host/gater.ts";
import { createPartnerStreams, type Libp2pPartnerStreams } from "../../p2p/partner-streams.ts";
import type { Reconciler } from "../../reconciler/reconciler.ts";
import type { Store } from "../../store/store.ts";
import type { SimBroker } from "../broker/broker.ts";
import { SimSubscriber } from "../broker/subscriber.ts";
import type { SimNetwork } from "../network/network.ts";
import type { SimNode } from "../network/node.ts";
import type { ClockView } from "../time/virtual-clock.ts";
import {
  type DaemonWatcher,
  WatchedNode,
  watchedDesiredPeers,
  watchedObserver,
  watchedPartnerStreams,
  whileRunning,
} from "./decorators.ts";
import type { SimDisk } from "./disk.ts";

export interface SimDaemonInit {
  readonly peerId: PeerId;
  readonly run: RunId;
  readonly settings: Fixture["header"]["settings"];
  readonly vocabulary: Vocabulary;
  readonly clock: ClockView;
  readonly random: Random;
  /** Used by its connection to the broker. */
  readonly brokerRandom: Random;
  readonly disk: SimDisk;
  readonly broker: SimBroker;
  readonly network: SimNetwork;
  readonly address: Address;
  readonly watcher: DaemonWatcher;
}

/** Few, so that a short disk fault exceeds it. */
const MAX_UNWRITTEN = 4;

interface Parts {
  readonly store: Store;
  readonly recorder: Recorder;
  readonly node: SimNode;
  readonly streams: Libp2pPartnerStreams;
  readonly core: Core;
}

/** One run of the daemon, from start to exit. */
export class SimDaemon {
  readonly #init: SimDaemonInit;
  readonly #parts: Parts;
  readonly #watcher: DaemonWatcher;
  readonly store: Store;
  readonly streams: Libp2pPartnerStreams;
  readonly reconciler: Reconciler;
  readonly node: SimNode;
  #subscriber: SimSubscriber | undefined;

  private constructor(init: SimDaemonInit, parts: Parts, watcher: DaemonWatcher) {
    this.#init = init;
    this.#watcher = watcher;
    this.#parts = parts;
    this.store = parts.store;
    this.streams = parts.streams;
    this.reconciler = parts.core.reconciler;
    this.node = parts.node;
  }

  /** Starts in the same order as `run`: the log, the wire, then NATS. All of it happens within one simulation step. */
  static async start(init: SimDaemonInit, onStarted: (daemon: SimDaemon) => void): Promise<SimDaemon> {
    const watcher = whileRunning(init.watcher, init.clock);
    const parts = await compose(init, watcher);
    const daemon = new SimDaemon(init, parts, watcher);
    init.network.listen(init.address, parts.node);
    onStarted(daemon);
    daemon.reconciler.start();
    daemon.#subscribe();
    return daemon;
  }

  /** Reads the broker stream, if there is one, again from its beginning. */
  resync(): void {
    this.#subscriber?.resync();
  }

  /** Ends the process as SIGKILL or a power cut does: nothing runs afterwards. */
  kill(how: "crash" | "power_loss", random: Random): void {
    this.#init.clock.stop();
    this.#init.broker.unsubscribe();
    // A machine without power sends no reset: the broker still believes that the connection is open.
    this.#subscriber?.abandon(how === "crash");
    this.node.crash();
    if (how === "crash") this.#init.disk.crash();
    else this.#init.disk.losePower(random);
  }

  /** Stops in an orderly way, as on SIGTERM: drains first. */
  async stop(): Promise<void> {
    const { store, recorder, node, streams, core } = this.#parts;
    this.#init.broker.unsubscribe();
    this.#subscriber?.[Symbol.dispose]();
    await core[Symbol.asyncDispose]();
    await streams.dispose();
    node.crash();
    await recorder.drain();
    recorder[Symbol.dispose]();
    try {
      store[Symbol.dispose]();
    } finally {
      this.#init.disk.closed();
      this.#init.clock.stop();
    }
  }

  #subscribe(): void {
    const { settings, broker, clock, brokerRandom, peerId, run } = this.#init;
    const { buffer } = this.#parts.core;
    if (settings.delivery === "at_most_once") {
      broker.subscribe((message) => clock.schedule(0, () => buffer.offer(message)));
      return;
    }
    this.#subscriber = new SimSubscriber({
      broker,
      view: clock,
      random: brokerRandom,
      owner: { peerId, run },
      log: this.store,
      buffer,
      logger: loggerOf(this.#watcher),
    });
  }
}

async function compose(init: SimDaemonInit, watcher: DaemonWatcher): Promise<Parts> {
  const { peerId, run, settings, vocabulary, clock, random, network } = init;
  const { delivery: _, inbound: admissionRule, ...reconcile } = settings;
  const common = { clock, random, logger: loggerOf(watcher) };
  const store = init.disk.open(clock);
  store.onAppended((entry) => watcher.logged(entry));
  const onObserved = (event: ObservedEvent) => watcher.observed(event);
  const recorder = new Recorder({ store, ...common, metrics: NO_METRICS, onObserved, maxUnwritten: MAX_UNWRITTEN });
  const admission = admissionPolicyOf(store, admissionRule);
  const node = new WatchedNode(network, { peerId, clock, gater: createGater(admission, recorder) }, watcher);
  recorder.started({ run, peerId, version: "0.0.0", config: { events: vocabulary }, lastAliveMs: null });
  recorder.running();
  const wake = (woken: PeerId) => {
    if (watcher.mayWake()) core.reconciler.wake(woken);
  };
  const streams = await createPartnerStreams({
    ...common,
    node,
    dialPlanner: dialAsGiven,
    self: { name: "self", did: didOf("did:example:self"), peerId },
    admission,
    cuts: NO_CUTS,
    observer: {
      observed: (event) => recorder.observed(event),
      faulted: (peerId, error) => recorder.faulted(peerId, { part: "streams", error, attempt: null }),
      wake,
    },
  });
  const core: Core = createCore(
    {
      ...common,
      desired: watchedDesiredPeers(store, watcher),
      log: recorder.received,
      streams: watchedPartnerStreams(streams, watcher),
      wake,
      observer: watchedObserver(recorder, watcher),
      onReceived: () => {},
      onAppendFailed: () => {},
    },
    { self: peerId, run, reconcile, admissionRule, vocabulary, limits: DEFAULT_LIMITS },
  );
  return { store, recorder, node, streams, core };
}

/** Tells the watcher of faults, and nothing else. */
function loggerOf(watcher: DaemonWatcher): Logger {
  return { ...silentLogger, fault: (part, thrown) => watcher.faulted(part, toPartnerdError(thrown)) };
}

const counted = { inc: () => {} };
const NO_METRICS: RecorderMetrics = {
  actions: counted,
  streamsOpened: counted,
  streamsClosed: counted,
  openFailures: counted,
  inboundRefused: counted,
  resyncFound: counted,
  logFailures: counted,
  establishSeconds: { observe: () => {} },
};
