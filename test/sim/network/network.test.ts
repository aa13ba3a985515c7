/** Faults of machines and wires in the simulated network. The behaviour of hosts without faults is tested in test/contract. */
import { multiaddr } from "@multiformats/multiaddr";
import { beforeEach, describe, expect, test } from "vitest";
import type { Address } from "../../../src/base/ids.ts";
import { dialError } from "../../../src/p2p/heartbeat/open-errors.ts";
import type { SimConnection } from "../../../src/sim/network/connection.ts";
import { type Cut, type DialAnswer, SimNetwork } from "../../../src/sim/network/network.ts";
import { SimNode } from "../../../src/sim/network/node.ts";
import type { SimPartnerStream } from "../../../src/sim/network/stream.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { type ClockView, VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

const LATENCY_MS = 10;
const ADDRESS = "/ip4/10.0.0.2/tcp/4001" as Address;
const PROTOCOL = "/test/1";

let clock: VirtualClock;
let network: SimNetwork;
let a: SimNode;
let b: SimNode;
let bsView: ClockView;
/** Sizes of the messages that reached B's streams. */
let received: number[];
let accepted: SimPartnerStream[];

beforeEach(() => {
  clock = new VirtualClock();
  network = new SimNetwork({ clock, random: seededRandom(1), latencyMs: LATENCY_MS });
  a = new SimNode(network, { peerId: PEER_A, clock: clock.view() });
  ({ node: b, view: bsView } = startB());
});

/** Starts a listening node for B. */
function startB(): { readonly node: SimNode; readonly view: ClockView } {
  received = [];
  accepted = [];
  const view = clock.view();
  const node = new SimNode(network, { peerId: PEER_B, clock: view });
  void node.handle(PROTOCOL, (stream) => {
    accepted.push(stream as SimPartnerStream);
    stream.addEventListener("message", ({ data }) => received.push(...data.subarray()));
  });
  network.listen(ADDRESS, node);
  return { node, view };
}

const dialling = (signal = new AbortController().signal) => a.dial(multiaddr(`${ADDRESS}/p2p/${PEER_B}`), { signal });

/** Tracks the outcome of a dial; undefined while it is pending. */
function watch(dial: Promise<SimConnection>): { outcome: string | undefined } {
  const watched: { outcome: string | undefined } = { outcome: undefined };
  dial.then(
    ({ status }) => {
      watched.outcome = status;
    },
    (error: unknown) => {
      watched.outcome = dialError(error).code;
    },
  );
  return watched;
}

async function connected(): Promise<SimConnection> {
  const dial = dialling();
  await clock.advance(10 * LATENCY_MS);
  return dial;
}

async function opened(): Promise<SimPartnerStream> {
  const opening = (await connected()).newStream(PROTOCOL, { signal: new AbortController().signal });
  await clock.advance(10 * LATENCY_MS);
  return opening;
}

/** The connection that `stream`, an end of a stream between A and B, runs on. */
function connectionOf(stream: SimPartnerStream | undefined): SimConnection {
  const connections = [...a.getConnections(), ...b.getConnections()];
  const found = connections.find((connection) => connection.streams.some((other) => other === stream));
  if (found === undefined) throw new Error("no connection has this stream");
  return found;
}

describe("a dial", () => {
  test("resolves after two round trips", async () => {
    const dial = watch(dialling());
    await clock.advance(4 * LATENCY_MS - 1);
    expect(dial.outcome).toBeUndefined();
    await clock.advance(2 * LATENCY_MS);
    expect(dial.outcome).toBe("open");
  });

  test.each<[DialAnswer, string | undefined]>([
    ["yes", "open"],
    ["refused", "connection_refused"],
    ["never", undefined],
    ["denied", "open"],
    ["other_key", "identity_mismatch"],
  ])("that is answered with %s ends as %s", async (answers, outcome) => {
    b.answers = answers;
    const dial = watch(dialling());
    await clock.advance(10 * LATENCY_MS);
    expect(dial.outcome).toBe(outcome);
    await clock.advance(10 * LATENCY_MS);
    expect(a.getConnections()).toHaveLength(answers === "yes" ? 1 : 0);
    expect(b.getConnections()).toHaveLength(answers === "yes" ? 1 : 0);
  });

  test("aborted during the upgrade still opens a connection, which has no user", async () => {
    const openedLate: number[] = [];
    for (let delayMs = 0; delayMs < 5 * LATENCY_MS; delayMs++) {
      const controller = new AbortController();
      const dial = watch(dialling(controller.signal));
      await clock.advance(delayMs);
      const before = a.getConnections().length;
      controller.abort();
      await clock.advance(10 * LATENCY_MS);
      expect(dial.outcome).toBe(before === 0 ? "timeout" : "open");
      if (a.getConnections().length > before) openedLate.push(delayMs);
      a.resetConnections();
      await clock.advance(10 * LATENCY_MS);
    }
    expect(openedLate.length).toBeGreaterThan(0);
    expect(openedLate.length).toBeLessThan(5);
  });

  test("denied before the upgrade completes fails, but the dead connection is announced anyway", async () => {
    const near = new SimNetwork({ clock, random: seededRandom(1), latencyMs: 0.5 });
    const [dialler, denier] = [PEER_A, PEER_B].map((peerId) => new SimNode(near, { peerId, clock: clock.view() }));
    if (dialler === undefined || denier === undefined) throw new Error("no nodes");
    near.listen(ADDRESS, denier);
    denier.answers = "denied";
    const told: string[] = [];
    dialler.addEventListener("connection:open", ({ detail }) => told.push(detail.status));
    dialler.addEventListener("connection:close", () => told.push("close"));
    const dial = watch(dialler.dial(multiaddr(`${ADDRESS}/p2p/${PEER_B}`), { signal: new AbortController().signal }));
    await clock.advance(100);
    expect([dial.outcome, told, dialler.getConnections()]).toEqual(["refused", ["reset"], []]);
  });

  test("finds a node that starts to listen only when it is dialled", async () => {
    network.unlisten(ADDRESS);
    const asked: string[] = [];
    network.onUnknownAddress = (address, expected) => {
      asked.push(`${address} ${expected}`);
      network.listen(address, b);
    };
    expect((await connected()).status).toBe("open");
    expect(asked).toEqual([`${ADDRESS} ${PEER_B}`]);
  });

  test.each<Cut>(["in", "out", "both"])("over a cut wire (%s) hangs, and continues after the cut", async (cut) => {
    b.cut = cut;
    const dial = watch(dialling());
    await clock.advance(2_000);
    expect(dial.outcome).toBeUndefined();
    b.cut = "none";
    await clock.advance(3_000);
    expect(dial.outcome).toBe("open");
  });

  test("to a frozen process is accepted by its machine, and continues when the process thaws", async () => {
    bsView.pause();
    const dial = watch(dialling());
    await clock.advance(60_000);
    expect([dial.outcome, a.sockets.size, b.sockets.size]).toEqual([undefined, 1, 1]);
    bsView.resume();
    await clock.advance(5 * LATENCY_MS);
    expect(dial.outcome).toBe("open");
  });

  test("times out after about a minute if nothing answers", async () => {
    b.answers = "never";
    const dial = watch(dialling());
    await clock.advance(60_000);
    expect(dial.outcome).toBeUndefined();
    await clock.advance(120_000);
    expect(dial.outcome).toBe("timeout");
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("data", () => {
  test("sent in one turn arrives together, in order", async () => {
    const stream = await opened();
    for (let byte = 0; byte < 10; byte++) stream.send(Uint8Array.of(byte));
    void connectionOf(stream).muxer.ping();
    expect(clock.pendingTimers).toBe(1);
    clock.step(Number.POSITIVE_INFINITY);
    expect(received).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(clock.pendingTimers).toBe(1);
  });

  test("arrives in order regardless of latency", async () => {
    const stream = await opened();
    for (let byte = 0; byte < 100; byte++) {
      a.lagMs = byte % 2 === 0 ? 50 : 0;
      stream.send(Uint8Array.of(byte));
      await clock.advance(1);
    }
    await clock.advance(100);
    expect(received).toEqual(Array.from({ length: 100 }, (_, byte) => byte));
  });

  test("sent after a lag ends waits for data sent during the lag", async () => {
    const stream = await opened();
    a.lagMs = 500;
    stream.send(Uint8Array.of(1));
    await clock.advance(1);
    a.lagMs = 0;
    stream.send(Uint8Array.of(2));
    await clock.advance(400);
    expect(received).toEqual([]);
    await clock.advance(200);
    expect(received).toEqual([1, 2]);
  });

  test("is delayed only when sent by the lagging node", async () => {
    const stream = await opened();
    b.lagMs = 500;
    const pong = connectionOf(stream).muxer.ping();
    await clock.advance(500 + 4 * LATENCY_MS);
    expect(await pong).toBeGreaterThanOrEqual(500 + 2 * LATENCY_MS);
    expect(await pong).toBeLessThan(500 + 3 * LATENCY_MS);
  });

  test.each<[Cut, boolean, boolean]>([
    ["in", false, true],
    ["out", true, false],
    ["both", false, false],
  ])("sent over a cut wire (%s) arrives after the cut, in order", async (cut, reachesB, reachesA) => {
    const stream = await opened();
    const [far] = accepted;
    const answers: number[] = [];
    stream.addEventListener("message", ({ data }) => answers.push(...data.subarray()));
    b.cut = cut;
    stream.send(Uint8Array.of(1));
    far?.send(Uint8Array.of(1));
    await clock.advance(60_000);
    stream.send(Uint8Array.of(2));
    far?.send(Uint8Array.of(2));
    await clock.advance(60_000);
    expect([received.length, answers.length]).toEqual([reachesB ? 2 : 0, reachesA ? 2 : 0]);
    b.cut = "none";
    stream.send(Uint8Array.of(3));
    await clock.advance(5 * LATENCY_MS);
    expect([received, answers]).toEqual([
      [1, 2, 3],
      [1, 2],
    ]);
  });

  test("stays held while the other machine is also cut off", async () => {
    const stream = await opened();
    a.cut = "out";
    b.cut = "in";
    stream.send(Uint8Array.of(1));
    await clock.advance(1_000);
    a.cut = "none";
    await clock.advance(1_000);
    expect(received).toEqual([]);
    b.cut = "none";
    await clock.advance(1_000);
    expect(received).toEqual([1]);
  });

  test("sent to a paused machine arrives when it resumes, in order", async () => {
    const stream = await opened();
    bsView.pause();
    for (const byte of [1, 2, 3]) {
      stream.send(Uint8Array.of(byte));
      await clock.advance(1_000);
    }
    expect(received).toEqual([]);
    bsView.resume();
    await clock.advance(1);
    expect(received).toEqual([1, 2, 3]);
  });
});

describe("a connection", () => {
  test("shows its state at the far end", async () => {
    const stream = await opened();
    const [far] = accepted;
    expect(stream.otherEnd).toBe(far);
    expect(far?.otherEnd).toBe(stream);
    const [connection, farConnection] = [connectionOf(stream), connectionOf(far)];
    expect(connection.otherEnd).toBe(farConnection);
    far?.abort(new Error("enough"));
    expect([stream.status, stream.otherEnd]).toEqual(["open", undefined]);
    farConnection.abort(new Error("enough"));
    expect([connection.status, connection.otherEnd]).toEqual(["open", undefined]);
    await clock.advance(5 * LATENCY_MS);
    expect([stream.status, connection.status]).toEqual(["reset", "reset"]);
  });

  test("forgotten by one machine is reset when the other sends", async () => {
    const stream = await opened();
    const connection = connectionOf(stream);
    b.forgetConnections();
    expect([b.getConnections().length, accepted[0]?.status]).toEqual([0, "closed"]);
    await clock.advance(60_000);
    expect(stream.status).toBe("open");
    stream.send(Uint8Array.of(1));
    await clock.advance(5 * LATENCY_MS);
    expect([stream.status, connection.status, a.getConnections().length]).toEqual(["closed", "reset", 0]);
  });

  test("when reset, ends at both ends", async () => {
    const stream = await opened();
    b.resetConnections();
    expect([b.getConnections().length, stream.status]).toEqual([0, "open"]);
    await clock.advance(5 * LATENCY_MS);
    expect(stream.status).toBe("closed");
  });

  test("ends when a process dies, without any event in that process; dials are refused until a new one listens", async () => {
    const stream = await opened();
    let told = 0;
    b.addEventListener("connection:close", () => told++);
    accepted[0]?.addEventListener("close", () => told++);
    b.crash();
    bsView.stop();
    await clock.advance(5 * LATENCY_MS);
    expect([stream.status, told, b.getConnections().length]).toEqual(["closed", 0, 0]);
    const dial = watch(dialling());
    await clock.advance(5 * LATENCY_MS);
    expect(dial.outcome).toBe("connection_refused");
    startB();
    expect((await connected()).status).toBe("open");
  });

  test("whose far end dies during a cut ends when the cut does", async () => {
    const stream = await opened();
    b.cut = "out";
    b.crash();
    bsView.stop();
    await clock.advance(60_000);
    expect(stream.status).toBe("open");
    b.cut = "none";
    await clock.advance(5 * LATENCY_MS);
    expect(stream.status).toBe("closed");
  });
});

test("the same seed gives the same timings", async () => {
  const runOnce = async () => {
    const world = new VirtualClock();
    const net = new SimNetwork({ clock: world, random: seededRandom(7), latencyMs: LATENCY_MS });
    const [near, far] = [PEER_A, PEER_B].map((peerId) => new SimNode(net, { peerId, clock: world.view() }));
    if (near === undefined || far === undefined) throw new Error("no nodes");
    net.listen(ADDRESS, far);
    const times: number[] = [];
    const dial = near.dial(multiaddr(`${ADDRESS}/p2p/${PEER_B}`), { signal: new AbortController().signal });
    await world.advance(100);
    const connection = await dial;
    for (let ping = 0; ping < 20; ping++) {
      const pong = connection.muxer.ping();
      await world.advance(100);
      times.push(await pong);
    }
    return times;
  };
  const first = await runOnce();
  expect(new Set(first).size).toBeGreaterThan(10);
  expect(await runOnce()).toEqual(first);
});
