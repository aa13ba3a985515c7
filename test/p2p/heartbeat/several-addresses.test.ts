/** A peer with several addresses: they are tried in order, within the time limit of one attempt. */
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { Dialler } from "../../../src/p2p/heartbeat/dialler.ts";
import type { Host } from "../../../src/p2p/host/host.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { fakeConnection } from "../../support/fake-stream.ts";
import { paceClock } from "../../support/pace/pace.ts";
import { eventually, loopbackAddress, startTestNode, type TestNode, timeoutSignal } from "../../support/partner-host.ts";
import { PEER_B } from "../../support/peers.ts";
import { closedPort, listenSilently } from "../../support/tcp-listener.ts";

const OPEN_TIMEOUT_MS = 1_000;

let owner: AsyncDisposableStack;
let alice: TestNode;
let bob: TestNode;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  [alice, bob] = [owner.use(await startTestNode(1)), owner.use(await startTestNode(2))];
});

afterEach(() => owner.disposeAsync());

/** Dials Bob at these ports. */
function dial(ports: readonly number[], signal = timeoutSignal(10_000)) {
  const targets = ports.map((port) => multiaddr(loopbackAddress(port, bob.peerId)));
  const dialPlanner = { plan: async () => targets };
  const dialler = new Dialler({ host: alice.node, clock: paceClock, dialPlanner, openTimeoutMs: OPEN_TIMEOUT_MS });
  return dialler.dial({ peerId: bob.peerId, address: null }, signal);
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.unreachable("it did not fail"),
    (error: unknown) => error,
  );

it("continues with the next address after one that refuses, and after one that is silent", async () => {
  const connection = await dial([await closedPort(), await listenSilently(owner), bob.port]);
  expect(connection.remotePeer.toString()).toBe(bob.peerId);
  await eventually(() => alice.node.getConnections().length === 1 && bob.node.getConnections().length === 1);
});

it("says what happened at each, with the code that is retried soonest", async () => {
  const carol = owner.use(await startTestNode(3));
  expect(await failureOf(dial([carol.port, await closedPort()]))).toMatchObject({
    code: "connection_refused",
    message: "none of 2 addresses answered: cannot connect: the far end has another PeerID; cannot connect: connection refused",
  });
  await eventually(() => alice.node.getConnections().length === 0);
});

it("stops at once when it is aborted", async () => {
  const controller = new AbortController();
  const failing = failureOf(dial([await listenSilently(owner), bob.port], controller.signal));
  controller.abort(new PartnerdError("aborted", "enough"));
  expect(await failing).toMatchObject({ code: "aborted", message: "enough" });
});

describe("addresses that do not answer", () => {
  let clock: VirtualClock;
  /** The ports that were dialled, with the time, and those whose dials have been aborted since. */
  let dialled: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    dialled = [];
  });

  /** Dials these ports of a peer that answers only on port 9; the plan takes `planMs`. */
  function dialPorts(ports: readonly number[], signal: AbortSignal, planMs = 0) {
    const dial: Host["dial"] = (target, options) => {
      const port = target.getComponents().find(({ name }) => name === "tcp")?.value;
      dialled.push(`${port} at ${clock.monotonicMs()}`);
      if (port === "9") return Promise.resolve(fakeConnection());
      return new Promise((_resolve, reject) => {
        options.signal.addEventListener("abort", () => {
          dialled.push(`${port} aborted`);
          reject(options.signal.reason as Error);
        });
      });
    };
    const planned = new Promise<void>((resolve) => clock.schedule(planMs, resolve));
    const plan = async () => {
      await planned;
      return ports.map((port) => multiaddr(loopbackAddress(port, PEER_B)));
    };
    const host = { dial } as Partial<Host> as Host;
    return new Dialler({ host, clock, dialPlanner: { plan }, openTimeoutMs: OPEN_TIMEOUT_MS }).dial(
      { peerId: PEER_B, address: null },
      signal,
    );
  }

  it("share the time", async () => {
    const connected = dialPorts([1, 2, 3, 9], new AbortController().signal);
    await clock.advance(OPEN_TIMEOUT_MS);
    await connected;
    expect(dialled).toEqual(["1 at 0", "1 aborted", "2 at 250", "2 aborted", "3 at 500", "3 aborted", "9 at 750"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("get none once the plan has taken all of it, but the last one is tried", async () => {
    const connected = dialPorts([1, 9], new AbortController().signal, 2 * OPEN_TIMEOUT_MS);
    await clock.advance(2 * OPEN_TIMEOUT_MS);
    expect(dialled.at(-1)).toBe(`9 at ${2 * OPEN_TIMEOUT_MS}`);
    await connected;
  });

  it("are not waited for after an abort", async () => {
    const controller = new AbortController();
    const failing = failureOf(dialPorts([1, 9], controller.signal));
    await clock.advance(100);
    controller.abort(new PartnerdError("aborted", "enough"));
    await clock.advance(0);
    expect(dialled).toEqual(["1 at 0", "1 aborted"]);
    expect(await failing).toMatchObject({ code: "aborted", message: "enough" });
    expect(clock.pendingTimers).toBe(0);
  });
});
