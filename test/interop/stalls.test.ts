/**
 * Far ends, networks and our own daemon that stall for 2 s again and again, and networks that lose packets. No stream may close.
 * INTEROP_STALL_MINUTES is how long; 10 writes the page's table.
 */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, type TestContext } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { GoPartner } from "./support/go-partner.ts";
import { NO_PACKET_LOSS, openedAt, startLossyRelay, through } from "./support/network.ts";
import { scenario } from "./support/scenario.ts";
import { SEPARATOR } from "./support/scenario-names.ts";
import { STALL_MINUTES } from "./support/stall-minutes.ts";

const STALL_MS = 2_000;
const BETWEEN_MS = 500;
const LOSS_PERCENT = 10;
const STAYS_OPEN = "the stream stays open";

let lyon: Participant;

beforeAll(async () => {
  if (inject("partners") !== null) lyon = await startParticipant("lyon");
});
afterAll(async () => {
  await lyon?.[Symbol.asyncDispose]();
});

interface Watched {
  readonly go: GoPartner;
  readonly direction: "outbound" | "inbound";
}

interface Trouble {
  readonly begin?: () => unknown;
  readonly end?: () => unknown;
}

/** Lets the trouble come and go while these streams are open, and reports the numbers to the table. */
async function endure(
  { task }: TestContext,
  streams: readonly Watched[],
  { begin, end }: Trouble,
  participant = lyon,
): Promise<void> {
  const opened = () => Promise.all(streams.map((stream) => openedAt(participant, stream.go, stream.direction)));
  const atFirst = await participant.daemon.until(
    "the streams open",
    async () => {
      const times = await opened();
      return times.every((time) => time !== undefined) && times;
    },
    60_000,
  );
  const untilMs = performance.now() + STALL_MINUTES * 60_000;
  let stalls = 0;
  while (performance.now() < untilMs) {
    await begin?.();
    await delay(STALL_MS);
    await end?.();
    stalls++;
    await delay(BETWEEN_MS);
    expect(await opened()).toEqual(atFirst);
  }
  const heartbeats = streams.map((stream) => stream.go.count(stream.direction === "outbound" ? "heartbeat" : "sent"));
  // The far end saw no end either, and got what it was sent: a heartbeat every 3.6 s at most, and the stalls delay some.
  for (const { go } of streams) expect(go.count("ended") + go.count("far_end_closed")).toBe(0);
  expect(Math.min(...heartbeats)).toBeGreaterThan(STALL_MINUTES * 10);
  const stallText = begin === undefined ? "-" : String(stalls);
  const [direction = "", farEnd = ""] = task.suite?.name.split(SEPARATOR) ?? [];
  const row = [farEnd, direction, task.name, String(STALL_MINUTES), stallText, heartbeats.join(" and "), "0"];
  Object.assign(task.meta, { stalls: row });
}

const FROZEN = "stalls for 2 s, again and again (SIGSTOP)";
const PAUSED = "has a network that pauses for 2 s, again and again";
const LOSSY = `has a network that loses ${LOSS_PERCENT} % of the packets`;
const OURSELVES = "sees our daemon stall for 2 s, again and again (SIGSTOP)";

scenario("outbound", FROZEN, STAYS_OPEN, async (version, context) => {
  using go = await GoPartner.start(version);
  await lyon.publisher.relate(go, "PARTNER");
  const trouble = { begin: () => go.send("SIGSTOP"), end: () => go.send("SIGCONT") };
  await endure(context, [{ go, direction: "outbound" }], trouble);
});

scenario("inbound", FROZEN, STAYS_OPEN, async (version, context) => {
  using go = await GoPartner.start(version, lyon.address);
  const trouble = { begin: () => go.send("SIGSTOP"), end: () => go.send("SIGCONT") };
  await endure(context, [{ go, direction: "inbound" }], trouble);
});

scenario("outbound", PAUSED, STAYS_OPEN, async (version, context) => {
  using go = await GoPartner.start(version);
  await using proxy = await startTcpProxy(go.port);
  await lyon.publisher.relate(through(proxy.port, go), "PARTNER");
  const trouble = { begin: () => proxy.pause(), end: () => proxy.resume() };
  await endure(context, [{ go, direction: "outbound" }], trouble);
});

scenario("inbound", PAUSED, STAYS_OPEN, async (version, context) => {
  await using proxy = await startTcpProxy(lyon.daemon.p2pPort);
  using go = await GoPartner.start(version, through(proxy.port, lyon).address);
  const trouble = { begin: () => proxy.pause(), end: () => proxy.resume() };
  await endure(context, [{ go, direction: "inbound" }], trouble);
});

scenario("outbound", LOSSY, STAYS_OPEN, async (version, context) => {
  context.skip(NO_PACKET_LOSS !== undefined, NO_PACKET_LOSS);
  using go = await GoPartner.start(version);
  using relay = await startLossyRelay(go.port, LOSS_PERCENT);
  await lyon.publisher.relate(through(relay.port, go), "PARTNER");
  await endure(context, [{ go, direction: "outbound" }], {});
  await relay.event("lost");
});

scenario("inbound", LOSSY, STAYS_OPEN, async (version, context) => {
  context.skip(NO_PACKET_LOSS !== undefined, NO_PACKET_LOSS);
  using relay = await startLossyRelay(lyon.daemon.p2pPort, LOSS_PERCENT);
  using go = await GoPartner.start(version, "-redial", "500ms", through(relay.port, lyon).address);
  await endure(context, [{ go, direction: "inbound" }], {});
  await relay.event("lost");
});

scenario("both", OURSELVES, "both streams stay open", async (version, context) => {
  await using stalling = await startParticipant("stalling");
  using dialled = await GoPartner.start(version);
  using dialling = await GoPartner.start(version, stalling.address);
  await stalling.publisher.relate(dialled, "PARTNER");
  const streams: readonly Watched[] = [
    { go: dialled, direction: "outbound" },
    { go: dialling, direction: "inbound" },
  ];
  const trouble = { begin: () => stalling.daemon.freeze(), end: () => stalling.daemon.thaw() };
  await endure(context, streams, trouble, stalling);
});
