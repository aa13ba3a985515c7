/** A flood from core NATS: the daemon keeps answering, its memory stays bounded, and dropped messages are counted and reported. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { isCampaign, repetitions } from "../support/campaign.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { databaseFaults } from "../support/database-check.ts";
import { NatsServer } from "../support/nats-server.ts";
import { startStopwatch } from "../support/pace/pace.ts";

/** The messages of a whole campaign would not fit in the memory that the daemon may use. */
const MESSAGES = repetitions(40_000, 200_000);
/** A server that never drops a slow subscriber, because messages that the server drops could not be counted. */
const PATIENT_SERVER = 'max_pending: 1GB, write_deadline: "10m"';
/**
 * How many to publish before waiting for the daemon to catch up. Queued messages delay the server's answers to pings, and after 30 s
 * without an answer the daemon drops the connection. On a busy machine the whole flood takes longer than that.
 */
const BLOCK = isCampaign ? MESSAGES : 10_000;
const RESULTS = ["changed", "unchanged", "rejected", "dropped"] as const;

/** A separate process, so that it competes with the daemon rather than with this test. */
async function flood(url: string, first: number): Promise<void> {
  const script = `
    import { connect } from "nats";
    const client = await connect({ servers: [${JSON.stringify(url)}] });
    for (let number = ${first}; number < ${first + BLOCK}; number++) {
      client.publish("CREATE_RESOURCE", JSON.stringify({ FromApp: "oc-api", Datatype: "PEER", Payload: "not base64, message " + number, padding: "x".repeat(1_500) }));
      if (number % 500 === 0) await client.flush();
    }
    await client.drain();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: "inherit",
    cwd: import.meta.dirname,
  });
  expect(await once(child, "exit")).toEqual([0, null]);
}

test(`${MESSAGES} messages, published as fast as possible`, async () => {
  await using nats = await NatsServer.start({ config: PATIENT_SERVER });
  await using daemon = await DaemonProcess.start({ config: { nats: { url: nats.url, mode: "core" }, log: { level: "error" } } });
  const residentBefore = daemon.residentBytes;
  let [isOver, worstMs, mostResident, answers] = [false, 0, 0, 0];
  const watching = (async () => {
    while (!isOver) {
      const stopwatch = startStopwatch();
      expect((await daemon.health("/livez")).status).toBe(200);
      worstMs = Math.max(worstMs, stopwatch.elapsedMs());
      mostResident = Math.max(mostResident, daemon.residentBytes);
      answers += 1;
      await delay(20);
    }
  })();
  const counted = async () => {
    const counts = await Promise.all(
      RESULTS.map((result) => daemon.metric(`oc_partnerd_events_received_total{result="${result}"}`)),
    );
    return Object.fromEntries(RESULTS.map((result, index) => [result, counts[index] ?? 0]));
  };
  const accountedFor = (messages: number) => async () => {
    const now = await counted();
    return Object.values(now).reduce((sum, count) => sum + count, 0) === messages && now;
  };
  const startedMs = performance.now();
  for (let published = 0; published < MESSAGES; published += BLOCK) {
    await daemon.until("what was published is accounted for", accountedFor(published), 120_000);
    await flood(nats.url, published + 1);
  }
  const publishedMs = performance.now() - startedMs;
  const counts = await daemon.until("every message is accounted for", accountedFor(MESSAGES), 120_000);
  isOver = true;
  await watching;
  const megabytes = (bytes: number) => Math.round(bytes / 1_048_576);
  process.stdout.write(
    `published in ${Math.round(publishedMs)} ms; ${answers} answers of /livez, the slowest after ${Math.round(worstMs)} ms; ` +
      `${megabytes(residentBefore)} MiB before, ${megabytes(mostResident)} MiB at most; ${JSON.stringify(counts)}\n`,
  );
  expect(worstMs).toBeLessThan(2_000);
  if (isCampaign) expect(mostResident - residentBefore).toBeLessThan(250 * 1_048_576);
  const { dropped = 0, rejected } = counts;
  expect(daemon.count("select count(*) from event_log where subject is not null")).toBe(rejected);
  const message = (await daemon.health("/readyz")).body.checks.find(({ name }) => name === "nats")?.message;
  // A fast machine logs all of them. Anything dropped is reported, and nothing else is.
  const isSaid = daemon.logLines().some((line) => line.level === "error" && "dropped" in line);
  expect([isSaid, message?.includes(`${dropped} messages dropped`)]).toEqual([dropped > 0, dropped > 0]);
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(databaseFaults(daemon)).toEqual([]);
});
