/** The NATS server that the daemon uses, and the streams that it creates: only in a private one. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type Intake, startIntake } from "../../src/daemon/intake.ts";
import { natsSource } from "../../src/daemon/nats-source.ts";
import { IngestBuffer } from "../../src/ingest/ingest-buffer.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { RUN } from "../support/attempts.ts";
import { type FakeNats, startFakeNats } from "../support/fake-nats.ts";
import { NatsServer } from "../support/nats-server.ts";
import { PEER_A } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { closedPort } from "../support/tcp-listener.ts";
import { until } from "../support/until.ts";

let owner: AsyncDisposableStack;
let temporary: TemporaryStore;
let logger: RecordingLogger;
/** Nothing listens there. */
let nowhere: string;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  temporary = owner.use(new TemporaryStore());
  logger = new RecordingLogger();
  nowhere = `nats://127.0.0.1:${await closedPort()}`;
  return () => owner.disposeAsync();
});

const configOf = (nats: object) => {
  const file = join(temporary.directory, "partnerd.json");
  writeFileSync(file, JSON.stringify({ data: temporary.directory, nats }));
  return loadConfig({ flags: {}, env: {}, file });
};
const { signal: never } = new AbortController();

describe("the NATS server", () => {
  const sourceOf = (nats: object, change: object = {}) =>
    natsSource(configOf(nats), { clock: systemClock, logger, env: {}, signal: never, owner, localUrl: nowhere, ...change });
  const portsOf = ({ config }: Awaited<ReturnType<typeof sourceOf>>) => config.servers?.map(({ port }) => port);

  it("is the configured one, without a look at this machine", async () => {
    const local: FakeNats = owner.use(await startFakeNats());
    const urlFile = join(temporary.directory, "url");
    writeFileSync(urlFile, nowhere);
    const named = await sourceOf({ url: "nats://127.0.0.1:9" }, { localUrl: local.url });
    expect([portsOf(named), named.isPrivate]).toEqual([[9], false]);
    expect(await sourceOf({ urlFile }, { localUrl: local.url })).toMatchObject({ config: { urlFile }, isPrivate: false });
    expect(logger.lines).toEqual([]);
  });

  it("is the one on this machine if none is configured", async () => {
    const local: FakeNats = owner.use(await startFakeNats());
    const source = await sourceOf({}, { localUrl: local.url });
    expect([portsOf(source), source.isPrivate]).toEqual([[Number(new URL(local.url).port)], false]);
    expect(logger.lines).toMatchObject([{ level: "info", fields: { url: local.url } }]);
  });

  it("is a private one if there is none, and its start ends with the daemon's", async () => {
    const program = join(temporary.directory, "silent-server");
    writeFileSync(program, "#!/bin/sh\nexec sleep 600\n");
    chmodSync(program, 0o755);
    const ending = new AbortController();
    // Its time does not advance, so only the signal ends the start.
    const clock = new VirtualClock();
    const starting = sourceOf({}, { env: { NATS_SERVER: program }, signal: ending.signal, clock });
    ending.abort(new Error("SIGTERM"));
    await expect(starting).rejects.toThrow("SIGTERM");
  });
});

describe("the intake", () => {
  async function start(nats: object): Promise<Intake> {
    const buffer = new IngestBuffer({ clock: systemClock, onBatch: () => "done", onOverflow: () => {} });
    const reader = { peerId: PEER_A, run: RUN };
    const ports = { clock: systemClock, random: systemRandom, logger, env: process.env, signal: never, owner };
    return startIntake(configOf(nats), { ...ports, store: temporary.store, buffer, reader, localUrl: nowhere });
  }

  /** The streams of its server, with their replicas. */
  async function streamsAt(server: string | null): Promise<Readonly<Record<string, number>>> {
    const client = await connect({ servers: server ?? "", reconnect: false });
    const found = await (await client.jetstreamManager()).streams.list().next();
    await client.close();
    return Object.fromEntries(found.map(({ config }) => [config.name, config.num_replicas]));
  }

  const untilReading = (intake: Intake) => until("it reads", () => intake.facts().source.reading);
  const [STREAM, HEADS] = ["OC_RESOURCES", "OC_PARTNERD_HEADS"];

  it.each([
    ["publish", { [STREAM]: 1, [HEADS]: 1 }],
    ["off", { [STREAM]: 1 }],
  ])("creates the streams of a private server, with heads: %s", async (heads, streams) => {
    const intake = await start({ heads });
    await untilReading(intake);
    const { status, source, dropped } = intake.facts();
    expect([source.from, intake.readsStream(), intake.resync(), dropped]).toEqual(["jetstream", true, true, 0]);
    expect(await streamsAt(status.server)).toEqual(streams);
    expect(logger.at("error")).toEqual([]);
  });

  it("creates none in a private server if it reads from core NATS", async () => {
    const intake = await start({ mode: "core" });
    await untilReading(intake);
    expect([intake.facts().source.from, intake.readsStream(), intake.resync()]).toEqual(["core", false, false]);
    expect(await streamsAt(intake.facts().status.server)).toEqual({});
  });

  it("creates none in a server that was configured", async () => {
    const server = owner.use(await NatsServer.start({ jetStream: true }));
    const intake = await start({ url: server.url });
    await untilReading(intake);
    expect([intake.facts().source.from, intake.readsStream()]).toEqual(["core", false]);
    expect(await streamsAt(server.url)).toEqual({});
  });
});
