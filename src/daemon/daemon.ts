/** The composition root: the only file that knows every part. Parts are disposed in reverse order of their start. */
import type { Clock, Random } from "../base/clock.ts";
import { didOf, type PeerId } from "../base/ids.ts";
import { countingFaults, type Logger } from "../base/log.ts";
import { isoTime } from "../base/units.ts";
import { version } from "../base/version.ts";
import type { HostPort } from "../config/http-settings.ts";
import type { Config } from "../config/schema.ts";
import type { ObservedEvent } from "../events/types.ts";
import type { RefusalReason } from "../http/access.ts";
import { createApp, createProbesApp } from "../http/app.ts";
import { Metrics } from "../http/metrics.ts";
import { startHttp, startProbes } from "../http/server.ts";
import type { Cuts } from "../p2p/budgets/cuts.ts";
import { createDialPlanner } from "../p2p/dial/create-dial-planner.ts";
import { HandshakeWatch } from "../p2p/handshake/handshake-watch.ts";
import { Door } from "../p2p/host/door.ts";
import { createNode, type Node, startNode, stopNode } from "../p2p/host/node.ts";
import { readSwarmKey } from "../p2p/host/swarm-key.ts";
import { createPartnerStreams, type Libp2pPartnerStreams } from "../p2p/partner-streams.ts";
import type { AdmissionPolicy } from "../p2p/registry/admission-policy.ts";
import type { SelfDescription } from "../p2p/wire/codec.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../reconciler/options.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { PeerView, SelfView } from "../views/api.ts";
import { checkSettingFiles } from "./check-setting-files.ts";
import { admissionPolicyOf, type Core, createCore } from "./core.ts";
import { HeadKeeper } from "./heads/head-keeper.ts";
import { type Intake, startIntake } from "./intake.ts";
import { type Identify, PartnerIdentifier } from "./learning/partner-identifier.ts";
import { type Log, openLog } from "./open-log.ts";
import { gaugesOf, peerViews, type ViewSources, viewsOf } from "./views.ts";
import { ConnectionWatch } from "./watch/connection-watch.ts";
import { connectionLimitsFor } from "./watch/descriptor-limit.ts";
import { DescriptorWatch } from "./watch/descriptor-watch.ts";
import { HandshakeReports } from "./watch/handshake-reports.ts";

export interface DaemonDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts the start, which then undoes everything and rejects with the signal's reason; default: never aborts. */
  readonly signal?: AbortSignal;
  /** Counts what happens; default a new one. */
  readonly metrics?: Metrics;
  /** Called as soon as something happened on the wire, before its row is written; for measurements. */
  readonly onObserved?: (event: ObservedEvent) => void;
  /** Called with every row appended to the log; for tests that wait for one. */
  readonly onLogged?: (entry: LogEntry) => void;
}

/** A running daemon. Disposing it drains: accepts no new events, closes streams with the reason `shutdown`, writes everything. */
export interface Daemon extends AsyncDisposable {
  readonly self: SelfView;
  /** Where the API is served: `http://HOST:PORT` or `unix:PATH`. */
  readonly httpUrl: string;
  /** The peers as GET /v1/peers shows them. */
  peers(): readonly PeerView[];
  /** Reads the token files of the API again. Throws config_invalid and keeps the tokens if one is unusable. */
  rereadTokens(): void;
}

/** Resolves once the daemon listens and reconciles; NATS may connect later. Rejects with a PartnerdError after undoing everything. */
export async function startDaemon(config: Config, deps: DaemonDependencies): Promise<Daemon> {
  await using starting = new AsyncDisposableStack();
  const { metrics = new Metrics() } = deps;
  const daemon = await start(config, {
    signal: new AbortController().signal,
    onObserved: () => {},
    onLogged: () => {},
    ...deps,
    metrics,
    logger: countingFaults(deps.logger, (part) => metrics.internalErrors.inc({ part })),
    owner: starting,
  });
  const running = starting.move();
  return { ...daemon, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** The dependencies of every part. */
interface Surroundings extends Required<DaemonDependencies> {
  /** Disposes parts together with the daemon. */
  readonly owner: AsyncDisposableStack;
}

async function start(config: Config, around: Surroundings): Promise<Omit<Daemon, keyof AsyncDisposable>> {
  const { clock, logger, metrics, owner, signal } = around;
  const startedAtMs = clock.wallMs();
  checkSettingFiles(config);
  const log = await openLog(config, around);
  const host = await createHost(config, around, log);
  const descriptors = owner.use(new DescriptorWatch(around));
  // Filled once it serves.
  const httpListeners: HostPort[] = [];
  const { core, streams } = await createStreams(config, around, log, { ...host, httpListeners });
  // Start after all protocol handlers are registered; otherwise an early peer concludes that we support none.
  await startNode(host.node, config.listen);
  signal.throwIfAborted();

  // Serve before looking for NATS: starting a private server takes a while.
  let started = false;
  let intake: Intake | null = null;
  let heads: HeadKeeper | null = null;
  const addresses = () => host.node.getMultiaddrs().map(String);
  const sources: ViewSources = {
    clock,
    logger,
    store: log.store,
    streams,
    reconciler: core.reconciler,
    self: { ...host.self, addresses: addresses(), version, startedAt: isoTime(startedAtMs) },
    dialect: {
      heartbeatFields: config.p2p.heartbeat.fields,
      heartbeatTimestamp: config.p2p.heartbeatTimestamp,
      challenge: config.p2p.challenge,
    },
    health: () => ({
      logFailing: log.files.failing ?? log.recorder.failing ?? core.ingest.failing,
      headSeq: log.store.head().seq,
      headFailing: log.store.headFailing,
      keptHeads: heads?.facts() ?? null,
      addresses: addresses(),
      connections: host.connections.facts(),
      descriptorsExhausted: descriptors.exhausted,
      nats: intake?.facts() ?? null,
    }),
    started: () => started,
    consumer: config.nats.consumer,
    resync: () => intake?.resync() ?? false,
    ignoredDatatypes: () => core.ingest.ignoredDatatypes(),
  };
  metrics.expose(gaugesOf(sources), startedAtMs, logger);
  const views = viewsOf(sources, () => metrics.text());
  const onRefused = (reason: RefusalReason) => metrics.httpRefused.inc({ reason });
  const http = owner.use(await startHttp(createApp(views, logger), config.http, onRefused));
  const { probes: at } = config.http;
  const probes = at === undefined ? undefined : owner.use(await startProbes(createProbesApp(views, logger), at));
  httpListeners.push(...[http, probes].flatMap((server) => server?.bound ?? []));

  log.recorder.running();
  const reader = { peerId: host.self.peerId, run: log.run };
  intake = await startIntake(config, { ...around, store: log.store, buffer: core.buffer, reader });
  heads = publishHeads(config, around, log, intake);

  signal.throwIfAborted();
  core.reconciler.start();
  started = true;
  const { self } = sources;
  logger.info(
    { peerId: self.peerId, addresses: self.addresses, url: http.url, probes: probes?.url, data: config.data, version },
    "oc-partnerd is running",
  );
  return { self, httpUrl: http.url, peers: () => peerViews(sources), rereadTokens: () => http.rereadTokens() };
}

/** Null if heads are not published to a stream. */
function publishHeads({ nats }: Config, around: Surroundings, log: Log, intake: Intake): HeadKeeper | null {
  const { peerId, run, store } = log;
  const { connection } = intake;
  if (nats.headSubject !== undefined) around.owner.use(log.head.publishTo({ connection, subject: nats.headSubject, peerId }));
  if (nats.heads === "off") return null;
  return around.owner.use(new HeadKeeper({ ...around, store, connection, peerId, run, isReading: () => intake.readsStream() }));
}

interface LocalHost {
  readonly node: Node;
  readonly self: SelfDescription;
  readonly admission: AdmissionPolicy;
  readonly connections: ConnectionWatch;
  readonly handshakes: HandshakeWatch;
  readonly cuts: Cuts;
}

/** The libp2p host. It does not listen yet. */
async function createHost(config: Config, around: Surroundings, log: Log): Promise<LocalHost> {
  const { clock, owner } = around;
  const { store, recorder, privateKey, peerId } = log;
  const admission = admissionPolicyOf(store, config.p2p.inbound);
  const swarmKey = readSwarmKey(config.p2p.pskFile);
  const connections = owner.use(new ConnectionWatch({ ...around, observer: recorder }));
  const limits = connectionLimitsFor(config.p2p.maxConnections, around.logger);
  const isPartner = (other: PeerId) => store.get(other)?.standing === "partner";
  const door = new Door({ limits, clock, isPartner, onCut: connections.cut });
  connections.watch(door.table);
  const onInboundFailure = new HandshakeReports(around).failed;
  const handshakes = new HandshakeWatch({ isPrivate: swarmKey !== null, onInboundFailure });
  const node = await createNode({
    privateKey,
    listen: config.listen,
    door,
    clock,
    admission,
    observer: recorder,
    swarmKey,
    version,
    handshakes,
  });
  owner.defer(() => stopNode(node, clock));
  return {
    node,
    self: { name: config.name, did: didOf(config.did ?? peerId), peerId },
    admission,
    connections,
    handshakes,
    cuts: door,
  };
}

/** The partner streams, and the core that opens and closes them. Nothing is opened before `reconciler.start()`. */
async function createStreams(
  config: Config,
  around: Surroundings,
  log: Log,
  { httpListeners, ...host }: LocalHost & { readonly httpListeners: readonly HostPort[] },
): Promise<{ readonly core: Core; readonly streams: Libp2pPartnerStreams }> {
  const { clock, random, logger, metrics, owner } = around;
  const { store, recorder, run } = log;
  const wake = (peerId: PeerId) => core.reconciler.wake(peerId);
  const identify: Identify = (...request) => streams.identify(...request);
  const identifier = owner.use(new PartnerIdentifier({ clock, logger, desired: store, recorder, identify }));
  const streams = await createPartnerStreams({
    ...host,
    clock,
    random,
    dialPlanner: createDialPlanner({
      clock,
      settings: config.p2p.dial,
      listen: config.listen,
      bound: () => host.node.getMultiaddrs().map(String),
      others: () => httpListeners,
    }),
    observer: {
      observed: (event) => {
        recorder.observed(event);
        identifier.observed(event);
      },
      learned: (peerId, facts) => recorder.learned(peerId, facts),
      faulted: (peerId, error) => recorder.faulted(peerId, { part: "streams", error, attempt: null }),
      explained: (peerId, error) => recorder.explained(peerId, error),
      wake,
    },
    options: {
      heartbeat: { fields: config.p2p.heartbeat.fields, timestamp: config.p2p.heartbeatTimestamp },
      challenge: config.p2p.challenge,
      openTimeoutMs: config.reconcile.openTimeoutMs,
    },
  });
  owner.defer(() => streams.dispose());
  const core = owner.use(
    createCore(
      {
        clock,
        random,
        logger,
        desired: store,
        log: recorder.received,
        streams,
        wake,
        observer: recorder,
        onReceived: (result) => metrics.received.inc({ result }),
        onAppendFailed: (kind) => metrics.logFailures.inc({ kind }),
      },
      {
        self: host.self.peerId,
        run,
        reconcile: { ...DEFAULT_RECONCILER_OPTIONS, ...config.reconcile },
        admissionRule: config.p2p.inbound,
        vocabulary: config.events,
        limits: config.events,
      },
    ),
  );
  return { core, streams };
}
