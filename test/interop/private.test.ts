/** Pre-shared keys: the same, different ones, and one end without. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, inject } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { GoPartner } from "./support/go-partner.ts";
import { scenario } from "./support/scenario.ts";

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-psk-"));
let closed: Participant;
let open: Participant;

/** A swarm key file whose key is this hexadecimal digit, repeated. */
const swarmKey = (digit: "a" | "b") => join(directory, `${digit}.key`);
for (const digit of ["a", "b"] as const) writeFileSync(swarmKey(digit), `/key/swarm/psk/1.0.0/\n/base16/\n${digit.repeat(64)}\n`);

beforeAll(async () => {
  if (inject("partners") === null) return;
  closed = await startParticipant("closed", { p2p: { pskFile: swarmKey("a") } });
  open = await startParticipant("open");
});
afterAll(async () => {
  for (const each of [closed, open]) await each?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const SUSPECTED = "`psk_mismatch` suspected at once";

/** Our daemon dials, and must suspect the key. */
async function suspected({ daemon, publisher }: Participant, go: GoPartner): Promise<void> {
  await publisher.relate(go, "PARTNER");
  await daemon.until("the suspicion", async () => (await daemon.peer(go.peerId))?.lastError?.code === "psk_mismatch");
}

/** The partner has dialled our daemon, which must count and log the suspicion. */
async function reported({ daemon }: Participant, go: GoPartner): Promise<void> {
  await go.event("dial_failed");
  await daemon.until("a log line", () => daemon.logLines().some((line) => line["reason"] === "psk_mismatch"));
}

scenario("outbound", "has the same pre-shared key", "established, heartbeats", async (version) => {
  using go = await GoPartner.start(version, "-psk", swarmKey("a"));
  await closed.publisher.relate(go, "PARTNER");
  await go.heartbeats(2);
});

scenario("outbound", "has another pre-shared key", SUSPECTED, async (version) => {
  using go = await GoPartner.start(version, "-psk", swarmKey("b"));
  await suspected(closed, go);
});

scenario("outbound", "has no pre-shared key, our daemon has one", SUSPECTED, async (version) => {
  using go = await GoPartner.start(version);
  await suspected(closed, go);
});

scenario("outbound", "has a pre-shared key, our daemon has none", SUSPECTED, async (version) => {
  using go = await GoPartner.start(version, "-psk", swarmKey("a"));
  await suspected(open, go);
});

scenario("inbound", "has the same pre-shared key", "challenged, admitted", async (version) => {
  using go = await GoPartner.start(version, "-psk", swarmKey("a"), closed.address);
  await go.event("echoed");
});

scenario("inbound", "has another pre-shared key", "`psk_mismatch` counted and logged", async (version) => {
  using go = await GoPartner.start(version, "-psk", swarmKey("b"), closed.address);
  await reported(closed, go);
});

scenario("inbound", "has no pre-shared key, our daemon has one", "`psk_mismatch` counted and logged", async (version) => {
  using go = await GoPartner.start(version, closed.address);
  await reported(closed, go);
});

scenario("inbound", "has a pre-shared key, our daemon has none", "`psk_mismatch` counted and logged", async (version) => {
  using go = await GoPartner.start(version, "-psk", swarmKey("a"), open.address);
  await reported(open, go);
});
