/** How soon faults of a Go far end are noticed and healed. The reporter prints the measurements as a table. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, type TestContext, test } from "vitest";
import type { PeerView } from "../../src/views/api.ts";
import { type Participant, startParticipant } from "../support/participant.ts";
import type { PeerRecord } from "../support/publisher.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { GoPartner } from "./support/go-partner.ts";

/** Longer than the grace in which the end of a stream counts as a refusal. */
const OPEN_MS = 3_000;
const AWAY_MS = 30_000;
/** A lease of 10 s, with some room for a busy machine. */
const NOTICED_MS = 11_000;
const HEALED_MS = 8_000;

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-liveness-"));
let lyon: Participant;

beforeAll(async () => {
  if (inject("partners") !== null) lyon = await startParticipant("lyon");
});
afterAll(async () => {
  await lyon?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

type StreamDirection = "outbound" | "inbound";

/** Waits until the stream is open, or is not, and returns how long that took. */
async function waitMs(peerId: string, direction: StreamDirection, isOpen: boolean): Promise<number> {
  const sinceMs = performance.now();
  const found = (peer: PeerView | undefined) => ((peer?.[direction] ?? null) !== null) === isOpen;
  await lyon.daemon.until(
    `${direction} of ${peerId} is open: ${isOpen}`,
    async () => found(await lyon.daemon.peer(peerId)),
    60_000,
  );
  return performance.now() - sinceMs;
}

interface Fault {
  begin(): unknown;
  /** Ends the fault. Undefined: it is over at once. */
  end?(): unknown;
}

/** Measures one fault on an open stream, and stores the row for the reporter. */
async function measure({ task }: TestContext, peer: PeerRecord, direction: StreamDirection, fault: Fault): Promise<void> {
  if (direction === "outbound") await lyon.publisher.relate(peer, "PARTNER");
  await waitMs(peer.peerId, direction, true);
  await delay(OPEN_MS);
  await fault.begin();
  const noticedMs = await waitMs(peer.peerId, direction, false);
  let redials = "-";
  if (fault.end !== undefined) {
    await delay(AWAY_MS - noticedMs);
    const attempts = (await lyon.daemon.peer(peer.peerId))?.attempts ?? 0;
    if (direction === "outbound") redials = String(Math.round((attempts * 60_000) / (AWAY_MS - noticedMs)));
    await fault.end();
  }
  const healedMs = direction === "outbound" ? await waitMs(peer.peerId, direction, true) : undefined;
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  Object.assign(task.meta, {
    liveness: [task.name, direction, seconds(noticedMs), healedMs === undefined ? "it dials" : seconds(healedMs), redials],
  });
  expect(noticedMs).toBeLessThan(NOTICED_MS);
  if (healedMs !== undefined) expect(healedMs).toBeLessThan(HEALED_MS);
}

describe.skipIf(inject("partners") === null).concurrent("liveness", () => {
  test("killed, and started again after 30 s", async (context) => {
    const key = ["-key-file", join(directory, "killed.key")];
    using first = await GoPartner.start("newest", ...key);
    let second: GoPartner | undefined;
    const end = async () => {
      second = await GoPartner.start("newest", ...key, "-listen", `/ip4/127.0.0.1/tcp/${first.port}`);
    };
    await measure(context, first, "outbound", { begin: () => first.kill(), end });
    second?.[Symbol.dispose]();
  });

  test("frozen (SIGSTOP) for 30 s", async (context) => {
    using go = await GoPartner.start("newest");
    await measure(context, go, "outbound", { begin: () => go.send("SIGSTOP"), end: () => go.send("SIGCONT") });
  });

  test("frozen (SIGSTOP), as the dialling end", async (context) => {
    using go = await GoPartner.start("newest", lyon.address);
    await measure(context, go, "inbound", { begin: () => go.send("SIGSTOP"), end: () => go.send("SIGCONT") });
  });

  test("network black-holed for 30 s", async (context) => {
    await using network = await behindProxy();
    const { peer, proxy } = network;
    await measure(context, peer, "outbound", { begin: () => proxy.pause(), end: () => proxy.resume() });
  });

  test("connection forgotten by a router", async (context) => {
    await using network = await behindProxy();
    await measure(context, network.peer, "outbound", { begin: () => network.proxy.forget() });
  });

  test("connection reset", async (context) => {
    await using network = await behindProxy();
    await measure(context, network.peer, "outbound", { begin: () => network.proxy.drop() });
  });
});

/** A partner behind a proxy, with the address that our daemon knows. */
async function behindProxy() {
  const go = await GoPartner.start("newest");
  const proxy = await startTcpProxy(go.port);
  const peer = { peerId: go.peerId, address: `/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${go.peerId}` };
  const dispose = async () => {
    go[Symbol.dispose]();
    await proxy[Symbol.asyncDispose]();
  };
  return { peer, proxy, [Symbol.asyncDispose]: dispose };
}
