/** The daemon under test: the real core on a simulated machine, that can end at any call which leaves it. */
import type { Random } from "../../base/clock.ts";
import { type Address, didOf, type PeerId } from "../../base/ids.ts";
import { silentLogger } from "../../base/log.ts";
import { admissionPolicyOf, type Core, type CoreProbe, createCore } from "../../daemon/core.ts";
import { Recorder, type RecorderMetrics } from "../../daemon/recorder.ts";
import type { ObservedEvent } from "../../events/types.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../events/vocabulary.ts";
import type { CrashPoint, Fixture } from "../../fixture/format/schema.ts";
import { createGater } from "../../p2p/host/gater.ts";
import type { ReconcilerObserver } from "../../reconciler/options.ts";
import type { PartnerStreams } from "../../reconciler/ports.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { Store } from "../../store/store.ts";
import type { SimBroker } from "../broker/broker.ts";
import { SimSubscriber } from "../broker/subscriber.ts";
import type { SimNetwork } from "../network/network.ts";
import { SimNode } from "../network/node.ts";
import type { ClockView } from "../time/virtual-clock.ts";
import type { SimDisk } from "./disk.ts";

export interface SimDaemonInit {
  readonly peerId: PeerId;
  readonly settings: Fixture["header"]["settings"];
  readonly clock: ClockView;
  readonly random: Random;
  /** Of its connection to the broker. */
  readonly brokerRandom: Random;
  readonly disk: SimDisk;
  readonly broker: SimBroker;
  readonly network: SimNetwork;
  readonly address: Address;
  readonly watcher: DaemonWatcher;
}

/** Who hears what the daemon does. */
export interface DaemonWatcher extends ReconcilerObserver {
  /** Something happened on the wire, or could not; its row is written next. */
  happened(event: ObservedEvent): void;
  logged(logged: LogEntry): void;
  operation(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void;
  diffed(): void;
  /** Whether a wake may pass. */
  mayWake(): boolean;
  /** The daemon is at this point; whoever throws ends it there. */
  reached(point: CrashPoint): void;
}

/** One life of the daemon, from a start to its end. */
export class SimDaemon {
  readonly store: Store;
  readonly node: SimNode;
  readonly #init: SimDaemonInit;
  readonly #recorder: Recorder;
  readonly #core: Core;
  #subscriber: SimSubscriber | undefined;

  private constructor(init: SimDaemonInit, store: Store, recorder: Recorder, node: SimNode, core: Core) {
    this.#init = init;
    this.store = store;
    this.#recorder = recorder;
    this.node = node;
    this.#core = core;
  }

  /** As `run` starts it: the log first, then the wire, then NATS. Everything of it is done when the promises of this step are. */
  static async start(init: SimDaemonInit, onStarted: (daemon: SimDaemon) => void): Promise<SimDaemon> {
    const { settings, clock, random, disk, network } = init;
    const watcher = whileItLives(init.watcher, clock);
    const store = disk.open(clock);
    const { delivery: _, inbound, ...reconcile } = settings;
    const admission = admissionPolicyOf(store, inbound);
    const recorder = new Recorder({
      store,
      clock,
      logger: silentLogger,
      metrics: NO_METRICS,
      onObserved: (event) => watcher.happened(event),
      onLogged: (logged) => watcher.logged(logged),
    });
    const node = new SimNode(network, { peerId: init.peerId, clock, gater: createGater(admission, recorder) });
    const dial = node.dial.bind(node);
    node.dial = async (target, options) => {
      watcher.reached("dialling");
      const connection = await dial(target, options);
      watcher.reached("dialled");
      return connection;
    };
    const core = await createCore({
      store: watched(store, watcher),
      recorder,
      node,
      self: { name: "self", did: didOf("did:example:self"), peerId: init.peerId },
      admission,
      clock,
      random,
      logger: silentLogger,
      options: { reconcile, inbound, heartbeatTimestamp: "unix", vocabulary: DEFAULT_VOCABULARY, limits: DEFAULT_LIMITS },
      onReceived: (_result, logged) => {
        if (logged !== null) watcher.logged(logged);
      },
      onAppendFailed: () => {},
      onGap: (logged) => watcher.logged(logged),
      probe: probeOf(watcher),
    });
    const daemon = new SimDaemon(init, store, recorder, node, core);
    network.listen(init.address, node);
    onStarted(daemon);
    core.reconciler.start();
    daemon.#subscribe(watcher);
    return daemon;
  }

  /** Has the stream read once more from its beginning, where there is one. */
  resync(): void {
    this.#subscriber?.resync();
  }

  get streams(): Core["streams"] {
    return this.#core.streams;
  }

  get reconciler(): Core["reconciler"] {
    return this.#core.reconciler;
  }

  /** As SIGKILL, or as a power cut: nothing of it runs any more, whatever it was at. */
  kill(how: "crash" | "power_loss", random: Random): void {
    this.#init.clock.stop();
    this.#init.broker.unsubscribe();
    // Who is without power says nothing more: the broker believes in the connection.
    this.#subscriber?.abandon(how === "crash");
    this.node.crash();
    if (how === "crash") this.#init.disk.crash();
    else this.#init.disk.losePower(random);
  }

  /** As SIGTERM: drains. */
  async stop(): Promise<void> {
    this.#init.broker.unsubscribe();
    this.#subscriber?.[Symbol.dispose]();
    await this.#core[Symbol.asyncDispose]();
    this.node.crash();
    this.#recorder[Symbol.dispose]();
    try {
      this.store[Symbol.dispose]();
    } finally {
      this.#init.disk.closed();
      this.#init.clock.stop();
    }
  }

  #subscribe(watcher: DaemonWatcher): void {
    const { settings, broker, clock, brokerRandom } = this.#init;
    const { buffer } = this.#core;
    if (settings.delivery === "at_most_once") {
      broker.subscribe((message) => clock.schedule(0, () => buffer.offer(message)));
      return;
    }
    this.#subscriber = new SimSubscriber({
      broker,
      machine: clock,
      random: brokerRandom,
      log: this.store,
      buffer,
      logger: silentLogger,
      onAppended: (logged) => watcher.logged(logged),
    });
  }
}

/** What a dead process still believes to do is nobody's business. */
function whileItLives(watcher: DaemonWatcher, machine: ClockView): DaemonWatcher {
  const alive = <Parameters extends unknown[]>(tell: (...parameters: Parameters) => void) => {
    return (...parameters: Parameters) => {
      if (!machine.stopped) tell(...parameters);
    };
  };
  return {
    happened: alive((event) => watcher.happened(event)),
    logged: alive((logged) => watcher.logged(logged)),
    observed: alive((event) => watcher.observed(event)),
    acted: alive((peerId, action) => watcher.acted(peerId, action)),
    settled: alive((peerId, outcome) => watcher.settled(peerId, outcome)),
    resyncFound: alive((peerId) => watcher.resyncFound(peerId)),
    operation: alive((peerId, kind, state) => watcher.operation(peerId, kind, state)),
    diffed: alive(() => watcher.diffed()),
    reached: alive((point) => watcher.reached(point)),
    mayWake: () => !machine.stopped && watcher.mayWake(),
  };
}

/** The periodic diff is the one who asks for all desired peers. */
function watched(store: Store, watcher: DaemonWatcher): Store {
  const list = () => {
    watcher.diffed();
    return store.list();
  };
  return Object.assign(Object.create(store) as Store, { list });
}

function probeOf(watcher: DaemonWatcher): CoreProbe {
  return {
    observer: watcher,
    wake: (_peerId, wake) => {
      if (watcher.mayWake()) wake();
    },
    streams: (streams: PartnerStreams): PartnerStreams => {
      const during = async (peerId: PeerId, kind: "open" | "renew", work: () => Promise<void>): Promise<void> => {
        watcher.operation(peerId, kind, "begun");
        try {
          await work();
        } finally {
          watcher.operation(peerId, kind, "over");
        }
      };
      return {
        actual: (peerId) => streams.actual(peerId),
        peers: () => streams.peers(),
        open: (peer, signal) => during(peer.peerId, "open", () => streams.open(peer, signal)),
        renew: (peerId, signal) => during(peerId, "renew", () => streams.renew(peerId, signal)),
        close: (peerId, request) => streams.close(peerId, request),
      };
    },
  };
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
