/** A peer with several addresses: they are tried in order, within the time limit of one attempt. */
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { Dialler } from "../../../src/p2p/heartbeat/dialler.ts";
import { paceClock } from "../../support/pace/pace.ts";
import { eventually, loopbackAddress, startTestNode, type TestNode, timeoutSignal } from "../../support/partner-host.ts";
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
