/** The parts of the daemon as it wires them, in this process: with a real host, log and API, and a NATS server of the test. */
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type Daemon, type DaemonDependencies, startDaemon } from "../../src/daemon/daemon.ts";
import type { LogEvent } from "../../src/events/types.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { IDENTIFY_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import type { LogEntry } from "../../src/store/model/log-entry.ts";
import { lockDirectory } from "../../src/store/sql/lock.ts";
import { append, desired } from "../store/support/events.ts";
import { rawConnection, TemporaryStore } from "../store/support/temporary-store.ts";
import { ATTEMPT } from "../support/attempts.ts";
import { type FakeNats, startFakeNats } from "../support/fake-nats.ts";
import { errorWith } from "../support/matchers.ts";
import { loopbackAddress, startPartnerHost, timeoutSignal } from "../support/partner-host.ts";
import { desiredPeer, PEER_A } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { until } from "../support/until.ts";

/** A loopback address that no other test listens on, so that its port can be written into a record. */
const OWN_API = { host: "127.84.213.7", port: 42_117 };

let owner: AsyncDisposableStack;
let temporary: TemporaryStore;
let nats: FakeNats;
let logger: RecordingLogger;
let metrics: Metrics;
let logged: LogEntry[];

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  temporary = owner.use(new TemporaryStore());
  nats = owner.use(await startFakeNats());
  [logger, metrics, logged] = [new RecordingLogger(), new Metrics(), []];
  return () => owner.disposeAsync();
});

/** Starts a daemon on the log of `temporary`, which the test must have closed. */
async function start(settings: object = {}, deps: Partial<DaemonDependencies> = {}): Promise<Daemon> {
  temporary.store[Symbol.dispose]();
  const file = join(temporary.directory, "partnerd.json");
  const natsSettings = { url: nats.url, mode: "core", heads: "off" };
  const config = { data: temporary.directory, name: "here", listen: ["/ip4/127.0.0.1/tcp/0"], http: "127.0.0.1:0" };
  writeFileSync(file, JSON.stringify({ ...config, nats: natsSettings, ...settings }));
  const onLogged = (entry: LogEntry) => void logged.push(entry);
  const ports = { clock: systemClock, random: systemRandom, logger, env: {}, metrics, onLogged };
  return owner.use(await startDaemon(loadConfig({ flags: {}, env: {}, file }), { ...ports, ...deps }));
}

const types = () => temporary.read("select type, reason from event_log order by seq").map(({ type }) => type);
const untilLogged = <Type extends LogEvent["type"]>(type: Type, peerId?: PeerId) =>
  until(`a ${type} is logged`, () =>
    logged
      .map(({ event }) => event)
      .find(
        (event): event is Extract<LogEvent, { type: Type }> =>
          event.type === type && (peerId === undefined || ("peerId" in event && event.peerId === peerId)),
      ),
  );
const metric = async (series: string) => {
  const lines = (await metrics.text()).text.split("\n");
  return Number(lines.find((line) => line.startsWith(`oc_partnerd_${series} `))?.split(" ")[1]);
};
const portOf = ({ self }: Daemon) => Number(self.addresses[0]?.split("/")[4]);
/** Whether something accepts connections there. */
const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });

describe("a daemon", () => {
  it("serves, keeps the streams that its log desires, tells the log about them, and ends them before its last row", async () => {
    const partner = owner.use(await startPartnerHost(1));
    await partner.node.unhandle(IDENTIFY_PROTOCOL);
    append(temporary.store, desired({ peerId: partner.peerId, address: loopbackAddress(partner.port, partner.peerId) }));
    const ownAddress = `/ip4/${OWN_API.host}/tcp/${OWN_API.port}/p2p/${PEER_A}`;
    append(temporary.store, desired({ resourceId: null, address: ownAddress as never }));
    const daemon = await start({
      http: { listen: `${OWN_API.host}:${OWN_API.port}`, probes: "127.0.0.1:0" },
      nats: { url: nats.url, mode: "core", heads: "off", headSubject: "oc.head" },
    });
    expect(daemon).toMatchObject({ httpUrl: `http://${OWN_API.host}:${OWN_API.port}`, self: { name: "here" } });
    expect(await answers(portOf(daemon))).toBe(true);
    const running = logger.at("info").find(({ message }) => message === "oc-partnerd is running");
    const { probes } = (running?.fields ?? {}) as { probes: string };
    expect((await fetch(`${probes}/startupz`)).status).toBe(200);

    expect(await untilLogged("StreamOpened")).toMatchObject({ peerId: partner.peerId, direction: "outbound" });
    expect(await untilLogged("OpenFailed", PEER_A)).toMatchObject({
      reason: "address_denied",
      details: { errorName: "own_listener" },
    });
    // It asks partners for their programs.
    await until("the partner was asked", () =>
      logger.at("debug").some(({ message }) => message === "could not identify the program of a peer"),
    );
    const ready = (await (await fetch(`${probes}/readyz`)).json()) as { checks: { name: string; message: string }[] };
    expect(ready.checks.find(({ name }) => name === "connections")?.message).toMatch(/^1 of \d+ in use, 0 of them by strangers$/);
    expect(await metric("desired_partners")).toBe(2);
    expect(
      daemon
        .peers()
        .map(({ phase }) => phase)
        .toSorted(),
    ).toEqual(["closed", "established"]);
    await until("the head is published", () => nats.published.some(({ subject }) => subject === "oc.head"));

    const port = portOf(daemon);
    await daemon[Symbol.asyncDispose]();
    expect(types().slice(-2)).toEqual(["StreamClosed", "DaemonStopped"]);
    expect(temporary.read("select reason from event_log where type = 'StreamClosed'")).toEqual([{ reason: "shutdown" }]);
    expect([await answers(port), await answers(Number(new URL(probes).port))]).toEqual([false, false]);
    expect(logger.at("error")).toEqual([]);
  });

  it("has its start in the log as soon as it runs, reads events, and publishes no head unless told to", async () => {
    await start();
    expect(types()).toEqual(["DaemonStarted"]);
    await until("it has subscribed", () => nats.send("CREATE_RESOURCE", "no JSON") === 1);
    await untilLogged("EventRejected");
    expect(nats.published).toEqual([]);
    expect(await metric('events_received_total{result="rejected"}')).toBe(1);
  });

  it("counts a mistake of ours while it serves a stream", async () => {
    let isFaulty = true;
    const onObserved = () => {
      if (isFaulty) {
        isFaulty = false;
        throw new TypeError("a bug");
      }
    };
    const daemon = await start({}, { onObserved });
    const stranger = owner.use(await startPartnerHost(2));
    const self = daemon.self.peerId as PeerId;
    const target = desiredPeer(self, { address: loopbackAddress(portOf(daemon), self) });
    const opened = stranger.streams.open(target, timeoutSignal(5_000), ATTEMPT).catch(() => {});
    await until("the fault is logged", () => logger.at("error").length === 1);
    await opened;
    expect(logger.at("error")).toMatchObject([{ message: "internal error", fields: { part: "streams", error: "a bug" } }]);
    expect(await metric('internal_errors_total{part="streams"}')).toBe(1);
  });

  it("with a pre-shared key tells of a peer that has none", async () => {
    const pskFile = join(temporary.directory, "swarm.key");
    writeFileSync(pskFile, `/key/swarm/psk/1.0.0/\n/base16/\n${"a".repeat(64)}\n`);
    const daemon = await start({ p2p: { pskFile } });
    const socket = connect(portOf(daemon), "127.0.0.1").on("error", () => {});
    owner.defer(() => void socket.destroy());
    socket.write("\x13/multistream/1.0.0\n\x07/noise\n");
    await until("it is reported", async () => (await metric('handshakes_failed_total{reason="psk_mismatch"}')) === 1);
    expect(logger.at("warn").map(({ message }) => message)).toContain("a connection to us failed in its handshake");
  });

  it("keeps heads in NATS unless that is off", async () => {
    const timersOf = async (heads: string) => {
      let timers = 0;
      const clock = {
        ...systemClock,
        schedule: (delayMs: number, task: () => void) => {
          // That of the heads: 2 s, give or take a fifth.
          if (delayMs >= 1_600 && delayMs < 2_400) timers += 1;
          return systemClock.schedule(delayMs, task);
        },
      };
      const daemon = await start({ nats: { url: "nats://127.0.0.1:9", heads } }, { clock, metrics: new Metrics() });
      await daemon[Symbol.asyncDispose]();
      return timers;
    };
    expect([await timersOf("off"), await timersOf("publish")]).toEqual([0, 1]);
  });
});

describe("a start", () => {
  /** Whether another daemon could have the data directory. */
  const isFree = () => {
    lockDirectory(temporary.directory)[Symbol.dispose]();
    return true;
  };

  it("that fails undoes everything, and leaves no row", async () => {
    await expect(start({ http: nats.url.replace("nats://", "") })).rejects.toThrow(
      errorWith("port_taken", /^http 127\.0\.0\.1:/),
    );
    expect([isFree(), types()]).toEqual([true, []]);
  });

  it("fails if it cannot listen for partners", async () => {
    const [port] = nats.url.match(/\d+$/) ?? [];
    await expect(start({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })).rejects.toThrow(errorWith("port_taken", /taken/));
    expect(isFree()).toBe(true);
  });

  it("with a setting file that is missing creates nothing", async () => {
    const data = join(temporary.directory, "new");
    await expect(start({ data, p2p: { pskFile: "missing.key" } })).rejects.toThrow(errorWith("config_invalid", /p2p\.pskFile/));
    expect(existsSync(data)).toBe(false);
  });

  it("that is aborted before it listens leaves no row", async () => {
    await expect(start({}, { signal: AbortSignal.abort(new Error("SIGTERM")) })).rejects.toThrow("SIGTERM");
    expect([isFree(), types()]).toEqual([true, []]);
  });

  it("that is aborted later records start and stop, and opens nothing", async () => {
    const ending = new AbortController();
    append(temporary.store, desired());
    const onLogged = () => ending.abort(new Error("SIGTERM"));
    await expect(start({}, { signal: ending.signal, onLogged })).rejects.toThrow("SIGTERM");
    expect([isFree(), types()]).toEqual([true, ["PeerDesired", "DaemonStarted", "DaemonStopped"]]);
    using raw = rawConnection(temporary.path);
    expect(raw.database.prepare("select count(*) from open_stream").pluck().get()).toBe(0);
  });
});
