/** The composition root: the one file that knows everyone. What is started is disposed in reverse order. */
import { join } from "node:path";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { NatsConnection } from "nats";
import type { Clock, Random } from "../base/clock.ts";
import { didOf } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { version } from "../base/version.ts";
import { readConfigured } from "../config/file.ts";
import type { Config } from "../config/schema.ts";
import type { ObservedEvent } from "../events/types.ts";
import { createApp } from "../http/app.ts";
import { Metrics } from "../http/metrics.ts";
import { startHttp } from "../http/server.ts";
import { PersistentConnection } from "../nats/connection/connection.ts";
import { EventSource } from "../nats/event-source.ts";
import { setUp } from "../nats/setup/setup.ts";
import { peerIdOf } from "../p2p/host/connection-index.ts";
import { loadOrCreateIdentity } from "../p2p/host/identity.ts";
import { createNode, startNode, stopNode } from "../p2p/host/node.ts";
import { parseSwarmKey } from "../p2p/host/swarm-key.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../reconciler/options.ts";
import { deliveryProof } from "../store/fold/delivery-proof.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import { lockDirectory } from "../store/sql/lock.ts";
import { openStore } from "../store/store.ts";
import { isoTime, type PeerView, type SelfView } from "../views/api.ts";
import { createCore, ruleOf } from "./core.ts";
import { HeadPublisher } from "./head-publisher.ts";
import type { HealthFacts, NatsFacts } from "./health.ts";
import { natsSource } from "./nats-source.ts";
import { Recorder } from "./recorder.ts";
import { gaugesOf, peerViews, type ViewSources, viewsOf } from "./views.ts";
import { WalWatch } from "./wal-watch.ts";

export interface DaemonDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called as soon as something happened on the wire, before its row is written; for those who measure. */
  readonly onObserved?: (event: ObservedEvent) => void;
  /** Called with every row that is appended to the log; for those who wait for one. */
  readonly onLogged?: (logged: LogEntry) => void;
}

/** A running daemon. Disposing it drains: no new events, streams closed as `shutdown`, everything written. */
export interface Daemon extends AsyncDisposable {
  readonly self: SelfView;
  /** Where the API is served, as `http://HOST:PORT`. */
  readonly httpUrl: string;
  /** What GET /v1/peers shows. */
  peers(): readonly PeerView[];
}

/** What our private server's stream may take of the data directory's disk, which JetStream reserves: some 150,000 events. */
const PRIVATE_STREAM_BYTES = 67_108_864;

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
  const recorder = owner.use(new Recorder({ store, clock, logger, metrics, onObserved, onLogged }));

  const head = owner.use(new HeadPublisher({ store, clock, random, logger }));
  owner.use(new WalWatch({ store, clock, random, logger }));

  const privateKey = await loadOrCreateIdentity(join(config.data, "identity.key"));
  const peerId = peerIdOf(peerIdFromPrivateKey(privateKey));
  const did = didOf(config.did ?? peerId);
  const rule = ruleOf(store, config.p2p.inbound);
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

  const core = await createCore({
    store,
    recorder,
    node,
    self: { name: config.name, did, peerId },
    rule,
    clock,
    random,
    logger,
    options: {
      reconcile: { ...DEFAULT_RECONCILER_OPTIONS, ...config.reconcile },
      inbound: config.p2p.inbound,
      heartbeatTimestamp: config.p2p.heartbeatTimestamp,
      vocabulary: config.events,
      limits: config.events,
    },
    onReceived: (result, logged) => {
      metrics.received.inc({ result });
      if (logged !== null) onLogged(logged);
    },
    onAppendFailed: () => metrics.logFailures.inc({ kind: "append" }),
  });
  const { streams, reconciler, ingest, delivery } = owner.use(core);
  // Only now that every protocol has its handler: a peer that asks too early takes the daemon for one that speaks none of them.
  await startNode(node, config.listen);

  // Served before NATS is looked for, which takes a while where a private server has to be started.
  let started = false;
  let natsFacts = (): NatsFacts | null => null;
  let resync = (): boolean => false;
  const addresses = () => node.getMultiaddrs().map(String);
  const health = (): HealthFacts => ({
    logFailing: recorder.failing ?? ingest.failing,
    headSeq: store.head().seq,
    headFailing: store.headFailing,
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
  const sources: ViewSources = {
    clock,
    store,
    streams,
    reconciler,
    self,
    health,
    started: () => started,
    consumer: config.nats.consumer,
    resync: () => resync(),
  };
  metrics.expose(gaugesOf(sources), startedAtMs);
  const http = owner.use(await startHttp(createApp(viewsOf(sources, metrics)), config.http));

  const server = await natsSource(config, { ...deps, owner });
  const nats = owner.use(new PersistentConnection(server.config, { clock, random, logger }));
  const subjects = [...config.events.createSubjects, ...config.events.removeSubjects];
  const { mode, stream, consumer } = config.nats;
  const setUpOurs = async (client: NatsConnection) =>
    void (await setUp(client, { stream, consumer, subjects, limits: { maxBytes: PRIVATE_STREAM_BYTES } }));
  const source = owner.use(
    new EventSource({
      mode,
      stream,
      consumer,
      subjects,
      connection: nats,
      delivery,
      log: store,
      clock,
      logger,
      onAppended: onLogged,
      ...(server.isPrivate && mode !== "core" && { prepare: setUpOurs }),
    }),
  );

  const { headSubject } = config.nats;
  if (headSubject !== undefined) owner.use(head.publishTo({ connection: nats, subject: headSubject, peerId }));

  natsFacts = () => ({
    status: nats.status(),
    source: source.facts(),
    proof: deliveryProof(store.cursor(), store.deliveries()),
    dropped: delivery.counts().dropped,
  });
  resync = () => source.resync();

  reconciler.start();
  started = true;
  logger.info({ peerId: self.peerId, addresses: self.addresses, url: http.url, data: config.data, version }, "oc-partnerd runs");
  return { self, httpUrl: http.url, peers: () => peerViews(sources) };
}
