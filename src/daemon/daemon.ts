/** The composition root: the one file that knows everyone. What is started is disposed in reverse order. */
import { join } from "node:path";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { Clock, Random } from "../clock.ts";
import { readConfigured } from "../config/file.ts";
import type { Config } from "../config/schema.ts";
import type { ObservedEvent } from "../events/types.ts";
import { isoTime, type PeerView, type SelfView } from "../http/api.ts";
import { createApp } from "../http/app.ts";
import { Metrics } from "../http/metrics.ts";
import { startHttp } from "../http/server.ts";
import { didOf, type PeerId } from "../ids.ts";
import type { Logger } from "../log.ts";
import { PersistentConnection } from "../nats/connection.ts";
import { BatchDelivery } from "../nats/delivery.ts";
import { Ingest } from "../nats/ingest.ts";
import { CoreSubscription } from "../nats/subscription.ts";
import { peerIdOf } from "../p2p/connections.ts";
import { PARTNER_PROTOCOL } from "../p2p/constants.ts";
import { loadOrCreateIdentity } from "../p2p/identity.ts";
import { createNode, startNode, stopNode } from "../p2p/node.ts";
import { createPartnerStreams } from "../p2p/partner-streams.ts";
import type { PartnerRule } from "../p2p/rule.ts";
import { parseSwarmKey } from "../p2p/swarm-key.ts";
import { inboundVerdict } from "../reconciler/decide.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../reconciler/options.ts";
import { Reconciler } from "../reconciler/reconciler.ts";
import { lockDirectory } from "../store/lock.ts";
import type { Logged } from "../store/logged.ts";
import { openStore } from "../store/store.ts";
import { version } from "../version.ts";
import type { HealthFacts, NatsFacts } from "./health.ts";
import { natsSource } from "./nats-source.ts";
import { Recorder } from "./recorder.ts";
import { gaugesOf, peerViews, type ViewSources, viewsOf } from "./views.ts";

export interface DaemonDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called as soon as something happened on the wire, before its row is written; for those who measure. */
  readonly onObserved?: (event: ObservedEvent) => void;
  /** Called with every row that is appended to the log; for those who wait for one. */
  readonly onLogged?: (logged: Logged) => void;
}

/** A running daemon. Disposing it drains: no new events, streams closed as `shutdown`, everything written. */
export interface Daemon extends AsyncDisposable {
  readonly self: SelfView;
  /** Where the API is served, as `http://HOST:PORT`. */
  readonly httpUrl: string;
  /** What GET /v1/peers shows. */
  peers(): readonly PeerView[];
}

/** Resolves once the daemon listens and reconciles; NATS may connect later. Rejects with a PartnerdError, everything undone. */
export async function startDaemon(config: Config, deps: DaemonDependencies): Promise<Daemon> {
  await using starting = new AsyncDisposableStack();
  const daemon = await start(config, deps, starting);
  const running = starting.move();
  return { ...daemon, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

async function start(
  config: Config,
  deps: DaemonDependencies,
  owner: AsyncDisposableStack,
): Promise<Omit<Daemon, keyof AsyncDisposable>> {
  const { clock, random, logger, onObserved = () => {}, onLogged = () => {} } = deps;
  const startedAtMs = clock.wallMs();
  const metrics = new Metrics();

  owner.use(lockDirectory(config.data));
  const store = owner.use(openStore({ directory: config.data, clock }));
  const recorder = new Recorder({ store, clock, logger, metrics, onObserved, onLogged });
  const dangling = store.closeDanglingSessions();
  if (dangling > 0) logger.warn({ streams: dangling }, "the last run ended without closing its streams; the log closes them now");

  const privateKey = await loadOrCreateIdentity(join(config.data, "identity.key"));
  const peerId = peerIdOf(peerIdFromPrivateKey(privateKey));
  const did = didOf(config.did ?? peerId);
  const rule: PartnerRule = { mayOpen: (other) => inboundVerdict(store.get(other), config.p2p.inbound) };
  const swarmKey =
    config.p2p.pskFile === undefined
      ? null
      : parseSwarmKey(readConfigured("p2p.pskFile", config.p2p.pskFile), config.p2p.pskFile);
  const node = await createNode({
    privateKey,
    listen: config.listen,
    maxConnections: config.p2p.maxConnections,
    rule,
    observer: recorder,
    swarmKey,
    version,
  });
  owner.defer(() => stopNode(node, clock));

  const wake = (other: PeerId) => reconciler.wake(other);
  const observer = { observed: (event: ObservedEvent) => recorder.observed(event), wake };
  const streams = await createPartnerStreams({
    node,
    clock,
    random,
    self: { name: config.name, did, peerId },
    rule,
    observer,
    options: { heartbeatTimestamp: config.p2p.heartbeatTimestamp },
  });
  owner.defer(() => streams.dispose());
  const reconciler = new Reconciler(
    { desired: store, streams, observer: recorder, clock, random },
    { ...DEFAULT_RECONCILER_OPTIONS, ...config.reconcile, inbound: config.p2p.inbound, self: peerId, protocol: PARTNER_PROTOCOL },
  );
  owner.defer(() => reconciler.stop());
  // Only now that every protocol has its handler: a peer that asks too early takes the daemon for one that speaks none of them.
  await startNode(node, config.listen);

  const ingest = new Ingest({
    vocabulary: config.events,
    limits: config.events,
    log: store,
    wake,
    logger,
    observer: {
      received: (result, logged) => {
        metrics.received.inc({ result });
        if (logged !== null) onLogged(logged);
      },
      appendFailed: () => metrics.logFailures.inc({ kind: "append" }),
    },
  });
  const delivery = owner.use(
    new BatchDelivery({
      clock,
      onBatch: (batch) => ingest.take(batch),
      onDrop: () => metrics.received.inc({ result: "dropped" }),
      onOverflow: () =>
        logger.error(
          { dropped: delivery.counts().dropped },
          "events arrive faster than they can be logged; the newest are dropped",
        ),
    }),
  );

  // Served before NATS is looked for, which takes a while where a private server has to be started.
  let started = false;
  let natsFacts = (): NatsFacts | null => null;
  const addresses = () => node.getMultiaddrs().map(String);
  const health = (): HealthFacts => ({
    logFailing: recorder.failing ?? ingest.failing,
    headSeq: store.head().seq,
    addresses: addresses(),
    nats: natsFacts(),
  });
  const self: SelfView = {
    peerId,
    addresses: addresses(),
    name: config.name,
    did,
    version,
    startedAt: isoTime(startedAtMs),
  };
  const sources: ViewSources = { clock, store, streams, reconciler, self, health, started: () => started };
  metrics.expose(gaugesOf(sources), startedAtMs);
  const http = owner.use(await startHttp(createApp(viewsOf(sources, metrics)), config.http));

  const nats = owner.use(new PersistentConnection(await natsSource(config, { ...deps, owner }), { clock, random, logger }));
  const subjects = [...config.events.createSubjects, ...config.events.removeSubjects];
  const subscription = owner.use(new CoreSubscription(subjects, { connection: nats, delivery, clock, logger }));

  natsFacts = () => ({ status: nats.status(), subscribed: subscription.subscribed, dropped: delivery.counts().dropped });

  reconciler.start();
  started = true;
  logger.info({ peerId: self.peerId, addresses: self.addresses, url: http.url, data: config.data, version }, "oc-partnerd runs");
  return { self, httpUrl: http.url, peers: () => peerViews(sources) };
}
