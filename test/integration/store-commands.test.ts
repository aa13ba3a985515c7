/** check, backup and restore as an operator runs them: beside a live daemon, after damage, and with a stream to read again. */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "nats";
import { describe, expect, test } from "vitest";
import { setUp } from "../../src/nats/setup/setup.ts";
import { rawConnection } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { loopbackAddress, startPartnerHost } from "../support/partner-host.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { Publisher } from "../support/publisher.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

const STREAM = "OC_RESOURCES";
const HEAD_SUBJECT = "oc.partnerd.head";

interface Site extends AsyncDisposable {
  readonly nats: NatsServer;
  readonly client: NatsConnection;
  readonly publisher: Publisher;
  readonly daemon: DaemonProcess;
}

/** A daemon that reads from a stream. */
async function startSite(): Promise<Site> {
  await using starting = new AsyncDisposableStack();
  const nats = starting.use(await NatsServer.start({ jetStream: true }));
  const client = await connect({ servers: nats.url });
  starting.defer(() => client.close());
  await setUp(client, { stream: STREAM, consumer: "oc-partnerd", subjects: [CREATE, REMOVE], limits: {} });
  const publisher = starting.use(await Publisher.connect(nats));
  const daemon = starting.use(await DaemonProcess.start({ config: { nats: { url: nats.url, headSubject: HEAD_SUBJECT } } }));
  const running = starting.move();
  return { nats, client, publisher, daemon, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

const peers = await Promise.all([1, 2, 3].map((seed) => peerIdOfSeed(seed)));

/** Publishes `count` events about unreachable peers, and unusable events of every kind. Resolves when the log has them. */
async function publish({ publisher, daemon, client }: Site, count: number, what: string): Promise<void> {
  for (let number = 0; number < count; number++) {
    const peerId = peers[number % peers.length] ?? "";
    const address = `/ip4/127.0.0.1/tcp/9/p2p/${peerId}`;
    await publisher.relate({ peerId, address, name: `${what}-${number}` }, number % 5 === 4 ? "NONE" : "PARTNER");
  }
  await publisher.publish(CREATE, `${what}: no JSON`);
  const info = await (await client.jetstreamManager()).streams.info(STREAM);
  await daemon.until("the log has all of it", () => daemon.count("select sequence from ingest_cursor") === info.state.last_seq);
}

/** All messages of the stream that are in the log, by sequence. */
const messages = (daemon: DaemonProcess) =>
  daemon.sql(
    "select stream_sequence, dedupe_key, payload_sha256 from event_log where dedupe_key is not null order by stream_sequence",
  );
const desired = (daemon: DaemonProcess) =>
  daemon.sql("select peer_id, name, relation, standing from desired_peers order by peer_id");

const check = (data: string, ...flags: string[]) => runCommand(["check", "--data", data, ...flags]);

/** Damages a page of the log's table that has old rows, as a failing disk might. */
function damage(file: string, daemon: DaemonProcess): void {
  const page = daemon.count(
    "select pageno from dbstat where name = 'event_log' and pagetype = 'leaf' order by path limit 1 offset 1",
  );
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.alloc(4_096, 0xff), 0, 4_096, (page - 1) * 4_096);
  closeSync(descriptor);
}

describe.concurrent("beside a running daemon", () => {
  test("check finds nothing, and the head is the same in the log lines, the metrics, on NATS and in check", async () => {
    await using site = await startSite();
    const { daemon, client } = site;
    const heard: { seq: number; chainHash: string; peerId: string }[] = [];
    client.subscribe(HEAD_SUBJECT, { callback: (_, message) => heard.push(message.json()) });
    await client.flush();
    await publish(site, 30, "first");
    const { code, stdout } = await check(daemon.dataDir, "--json");
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as { seq: number; chainHash: string; sound: boolean; findings: unknown[] };
    expect(report).toMatchObject({ sound: true, findings: [] });
    expect(report.seq).toBeGreaterThanOrEqual(31);
    const [seq, hash] = [
      await daemon.metric("oc_partnerd_event_log_head_seq"),
      await daemon.metric("oc_partnerd_event_log_head_hash"),
    ];
    const hashAt = (at: unknown) => String(daemon.sql("select chain_hash from event_log where seq = ?", at)[0]?.["chain_hash"]);
    expect(hash).toBe(Number.parseInt(hashAt(seq).slice(0, 12), 16));
    expect(await daemon.metric("oc_partnerd_wal_bytes")).toBeGreaterThan(0);
    const [first] = daemon.logLines().filter(({ msg }) => msg === "event log head");
    expect(first).toMatchObject({ seq: 0, chainHash: "0".repeat(64) });
    await daemon.stop();
    // The last line covers what was logged while stopping; NATS only has earlier heads.
    const last = daemon
      .logLines()
      .filter(({ msg }) => msg === "event log head")
      .at(-1);
    expect(last).toMatchObject({ seq: daemon.count("select max(seq) from event_log"), chainHash: hashAt(last?.["seq"]) });
    await daemon.until("NATS has heard of the end", () => heard.length > 0);
    const { peerId, seq: heardSeq = 0, chainHash = "" } = heard.at(-1) ?? {};
    expect([chainHash, heardSeq >= 31]).toEqual([hashAt(heardSeq), true]);
    expect(peerId).toMatch(/^12D3Koo/);
    expect((await check(daemon.dataDir, "--head", `${heardSeq}:${chainHash.slice(0, 8)}`)).code).toBe(0);
    const wrong = await check(daemon.dataDir, "--head", `${heardSeq}:${"0".repeat(16)}`);
    expect(wrong).toMatchObject({ code: 1, stderr: "" });
    expect(wrong.stdout).toContain(`event_log row ${heardSeq}: chain_hash is ${chainHash}, --head names`);
    expectFailure(await check(daemon.dataDir, "--head", "12"), 64, ["--head", "SEQ:HASH"]);
  });

  test("backup is consistent, and restore is rejected", async () => {
    await using site = await startSite();
    const { daemon } = site;
    await publish(site, 40, "first");
    const to = join(daemon.dataDir, "..", "backup.db");
    const made = await runCommand(["backup", "--data", daemon.dataDir, "--to", to, "--json"]);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    const { seq, chainHash, file } = JSON.parse(made.stdout) as { seq: number; chainHash: string; file: string };
    expect(file).toBe(to);
    const sound = await check(to);
    expect(sound.stdout).toMatch(new RegExp(`backup\\.db is sound: ${seq} events.*\\nhead ${seq}:${chainHash}`));
    expectFailure(await runCommand(["backup", "--data", daemon.dataDir, "--to", to]), 74, [to, "--force"]);
    expectFailure(await runCommand(["restore", "--data", daemon.dataDir, "--from", to]), 69, ["in use by another oc-partnerd"]);
    expectFailure(await runCommand(["restore", "--data", daemon.dataDir]), 64, ["--from", "--from-jetstream"]);
    expect((await daemon.health("/readyz")).status).toBe(200);
  });
});

describe.concurrent("after damage", () => {
  test("a log that lost its end is rejected, and a backup and the stream together restore it", async () => {
    await using site = await startSite();
    const { daemon } = site;
    await publish(site, 30, "first");
    const to = join(daemon.dataDir, "..", "backup.db");
    expect(await runCommand(["backup", "--data", daemon.dataDir, "--to", to])).toMatchObject({ code: 0 });
    await publish(site, 30, "second");
    const [all, state] = [messages(daemon), desired(daemon)];
    await daemon.stop();
    // An old copy restored by hand.
    writeFile(daemon.databaseFile, readFileSync(to));
    await daemon.start("nothing");
    expect(await daemon.exited).toMatchObject({ code: 74 });
    expect(daemon.stderr).toMatch(/the event log was truncated or replaced: .*names seq \d+, the log ends at seq \d+/);
    const { code, stdout } = await check(daemon.dataDir);
    expect(code).toBe(1);
    expect(stdout).toMatch(/event_log rows \d+ to \d+: gone: oc-partnerd\.head names seq/);
    const restored = await runCommand(["restore", "--data", daemon.dataDir, "--from", to]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(restored.stdout).toMatch(/removed from the log: seq \d+ to \d+, which are not in the backup/);
    expect(restored.stdout).toMatch(/next: start the daemon; it continues with stream OC_RESOURCES at sequence 32/);
    await daemon.start();
    await daemon.until("all is read again", () => messages(daemon).length === all.length);
    expect(messages(daemon)).toEqual(all);
    expect(desired(daemon)).toEqual(state);
    expect((await check(daemon.dataDir)).stdout).toMatch(/is sound/);
  });

  test("the provable part of a damaged log and the stream together restore the state", async () => {
    await using site = await startSite();
    const { daemon } = site;
    await publish(site, 200, "first");
    const [all, state] = [messages(daemon), desired(daemon)];
    await daemon.stop();
    damage(daemon.databaseFile, daemon);
    const { code, stdout } = await check(daemon.dataDir);
    expect(code).toBe(1);
    expect(stdout).toMatch(/event_log rows? \d+( to \d+)?: cannot be read/);
    const restored = await runCommand(["restore", "--data", daemon.dataDir, "--from-jetstream"]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    const kept = Number(/^kept (\d+) events that the hash chain proves/.exec(restored.stdout)?.[1]);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(200);
    expect(restored.stdout).toMatch(/observations and core NATS messages are lost for good/);
    const setAside = /^damaged log kept as (\S+),/m.exec(restored.stdout)?.[1] ?? "";
    expect(existsSync(setAside)).toBe(true);
    await daemon.start();
    await daemon.until("all is read again", () => messages(daemon).length === all.length);
    expect(messages(daemon)).toEqual(all);
    expect(desired(daemon)).toEqual(state);
    expect(daemon.sql("select reason from event_log where type = 'DeliveryGap'")).toEqual([]);
    expect((await check(daemon.dataDir)).stdout).toMatch(/is sound/);
  });

  test("if nothing is readable, the stream alone restores everything", async () => {
    await using site = await startSite();
    const { daemon } = site;
    await publish(site, 20, "first");
    const [all, state] = [messages(daemon), desired(daemon)];
    await daemon.stop();
    writeFile(daemon.databaseFile, Buffer.from("no database"));
    const restored = await runCommand(["restore", "--data", daemon.dataDir, "--from-jetstream"]);
    expect(restored.stdout).toMatch(/^nothing could be proven: the log starts again, empty/);
    await daemon.start();
    await daemon.until("all is read again", () => messages(daemon).length === all.length);
    expect(messages(daemon)).toEqual(all);
    expect(desired(daemon)).toEqual(state);
  });
});

describe("while it is running", () => {
  test("a damaged page: the daemon keeps running, reports why it is not ready, and its streams stay open", async () => {
    await using site = await startSite();
    const { daemon, publisher } = site;
    await using partner = await startPartnerHost(60);
    const record = { peerId: partner.peerId, address: loopbackAddress(partner.port, partner.peerId) };
    await publisher.relate(record, "PARTNER");
    await whenPeer(daemon, partner.peerId, "it has a stream", isEstablished, 20_000);
    const established = (await daemon.peer(partner.peerId))?.outbound?.openedAt;
    await publish(site, 60, "first");
    damageIndexes(daemon);
    await publisher.publish(CREATE, "one that cannot be logged");
    await daemon.until("readiness says why", async () => {
      const { status, body } = await daemon.health("/readyz");
      const message = body.checks.find(({ name }) => name === "event_log")?.message ?? "";
      return status === 503 && /malformed \(SQLITE_CORRUPT.*oc-partnerd restore/.test(message);
    });
    expect((await daemon.health("/livez")).status).toBe(200);
    // Readiness may fail first, by its own write.
    await daemon.until("the failed append is counted", async () => {
      const failures = await daemon.metric('oc_partnerd_event_log_failures_total{kind="append"}');
      return (failures ?? 0) > 0;
    });
    expect((await daemon.peer(partner.peerId))?.outbound?.openedAt).toBe(established);
    const { code } = await check(daemon.dataDir);
    expect(code).toBe(1);
    await daemon.kill();
    expect(await runCommand(["restore", "--data", daemon.dataDir, "--from-jetstream"])).toMatchObject({ code: 0, stderr: "" });
    await daemon.start();
    await daemon.until(
      "the failed append is reported",
      () => daemon.count("select count(*) from event_log where cast(payload as text) = 'one that cannot be logged'") === 1,
    );
    expect((await check(daemon.dataDir)).stdout).toMatch(/is sound/);
  });
});

function writeFile(path: string, bytes: Uint8Array): void {
  const descriptor = openSync(path, "w");
  writeSync(descriptor, bytes);
  closeSync(descriptor);
}

/** Damages pages that the next append needs. A commit by another program makes SQLite drop its cached copies. */
function damageIndexes(daemon: DaemonProcess): void {
  const pages = daemon.sql("select pageno from dbstat where name in ('event_log_type', 'event_log_dedupe_key')");
  using raw = rawConnection(daemon.databaseFile);
  raw.database.pragma("wal_checkpoint(TRUNCATE)");
  const descriptor = openSync(daemon.databaseFile, "r+");
  for (const { pageno } of pages) writeSync(descriptor, Buffer.alloc(4_096, 0xff), 0, 4_096, (Number(pageno) - 1) * 4_096);
  closeSync(descriptor);
  raw.database.exec("create table other (x); drop table other");
}
