/** Dials of a far end and questions to it, with a host that the test plays. */
import { multiaddr } from "@multiformats/multiaddr";
import { beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { didOf } from "../../../src/base/ids.ts";
import { NO_CUTS } from "../../../src/p2p/budgets/cuts.ts";
import { FarEndDialler } from "../../../src/p2p/examination/dial-far-end.ts";
import { FarEndConnection } from "../../../src/p2p/examination/far-end-connection.ts";
import { tryHeartbeat } from "../../../src/p2p/examination/try-heartbeat.ts";
import type { Host, HostConnection, HostEvents } from "../../../src/p2p/host/host.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { FakeStream, fakeConnection } from "../../support/fake-stream.ts";
import { loopbackAddress } from "../../support/partner-host.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

const TIMEOUT_MS = 1_000;
const FORMAT = { fields: "both", timestamp: "unix" } as const;
const SELF = { name: "a", did: didOf("d"), peerId: PEER_A };

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

const named = (name: string) => Object.assign(new Error("in any words"), { name });

describe("dialling several addresses in vain", () => {
  /** Dials one address for each of these, whose dial then fails. */
  async function dial(...hosts: readonly ((dialler: FarEndDialler) => void)[]) {
    const host: Pick<Host, "dial"> = {
      dial: async (target) => {
        const port = Number(target.getComponents().find(({ name }) => name === "tcp")?.value);
        hosts[port]?.(dialler);
        throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      },
    };
    const handshakes = { takeFailure: () => undefined };
    const dialler: FarEndDialler = new FarEndDialler({ host: host as Host, clock, handshakes, timeoutMs: TIMEOUT_MS });
    return dialler.dial(
      PEER_B,
      hosts.map((_, port) => multiaddr(loopbackAddress(port, PEER_B))),
    );
  }
  const silent = () => {};
  const greets = (dialler: FarEndDialler) => {
    dialler.progressed({ stage: "connected" });
    dialler.progressed({ stage: "first_bytes", level: "raw", beginning: "multistream" });
  };

  test("tells of the one that came furthest", async () => {
    expect((await dial(silent, greets, silent)).target).toBe("/ip4/127.0.0.1/tcp/1");
  });

  test("tells of the first of those that came equally far", async () => {
    expect((await dial(greets, greets)).target).toBe("/ip4/127.0.0.1/tcp/0");
  });
});

test("a dial without an answer is a timeout", async () => {
  const host: Pick<Host, "dial"> = { dial: () => new Promise(() => {}) };
  const handshakes = { takeFailure: () => undefined };
  const dialler = new FarEndDialler({ host: host as Host, clock, handshakes, timeoutMs: TIMEOUT_MS });
  const dialled = dialler.dial(PEER_B, [multiaddr(loopbackAddress(1, PEER_B))]);
  await clock.advance(TIMEOUT_MS);
  expect((await dialled).failure?.code).toBe("timeout");
});

describe("a question that fails says why", () => {
  const ask = (connection: HostConnection, thrown: Error) =>
    new FarEndConnection(connection, {
      host: { addEventListener: () => {}, removeEventListener: () => {} },
      clock,
      cuts: NO_CUTS,
      timeoutMs: TIMEOUT_MS,
      redial: async () => null,
    }).ask("/p", () => Promise.reject(thrown));

  test.each([
    [new PartnerdError("challenge_failed", "no echo"), { code: "challenge_failed", message: "no echo" }],
    [new PartnerdError("refused", "in our words"), { code: "refused", message: "in our words" }],
    [named("UnsupportedProtocolError"), { code: "protocol_unsupported", message: "the peer does not support /p" }],
    [named("StreamResetError"), { code: "refused", message: "no valid answer over /p" }],
  ])("%s", async (thrown, failure) => {
    expect((await ask(fakeConnection(), thrown)).failure).toEqual(failure);
  });

  test("a connection that has closed", async () => {
    let status: HostConnection["status"] = "open";
    const connection = Object.defineProperty(fakeConnection(), "status", { get: () => status });
    const asked = new FarEndConnection(connection, {
      host: { addEventListener: () => {}, removeEventListener: () => {} },
      clock,
      cuts: NO_CUTS,
      timeoutMs: TIMEOUT_MS,
      redial: async () => null,
    }).ask("/p", async () => {
      status = "closed";
      throw named("StreamResetError");
    });
    expect((await asked).failure).toEqual({ code: "refused", message: "the far end closed the connection" });
  });
});

describe("the connection to the far end", () => {
  const CLOSED = { code: "refused", message: "the far end closed the connection" };
  let listeners: ((event: HostEvents["connection:close"]) => void)[];
  let redials: (HostConnection | null)[];
  beforeEach(() => {
    [listeners, redials] = [[], []];
  });
  const farEnd = (first: HostConnection) =>
    new FarEndConnection(first, {
      host: {
        addEventListener: (_type, listener) => void listeners.push(listener),
        removeEventListener: (_type, listener) => {
          listeners = listeners.filter((other) => other !== listener);
        },
      },
      clock,
      cuts: NO_CUTS,
      timeoutMs: TIMEOUT_MS,
      redial: async () => redials.shift() ?? null,
    });
  const closes = (connection: HostConnection) => {
    for (const listener of listeners) listener({ detail: connection });
  };

  test("is dialled again once it has closed, and remains the new one, but no more than 16 times", async () => {
    const closed = fakeConnection({ status: "closed" });
    const open = fakeConnection();
    const connection = farEnd(closed);
    redials = [null, open];
    expect([await connection.open(), connection.isOpen]).toEqual([null, false]);
    expect([await connection.open(), await connection.open(), connection.redials]).toEqual([open, open, 2]);

    const often = farEnd(closed);
    redials = Array.from({ length: 20 }, () => closed);
    for (let times = 0; times < 16; times++) expect(await often.open()).toBe(closed);
    expect(await often.open()).toBeNull();
    expect(redials).toHaveLength(4);
    expect((await often.ask("/p", async () => 1)).failure).toEqual(CLOSED);
  });

  test("ends a question when it closes, not when another one does", async () => {
    const current = fakeConnection();
    const asked = farEnd(current).ask("/p", () => new Promise(() => {}));
    await clock.advance(100);
    closes(fakeConnection());
    await clock.advance(100);
    closes(current);
    await clock.advance(0);
    expect(await asked).toEqual({ answer: null, failure: CLOSED, durationMs: 200 });
    expect([listeners, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("ends a question without an answer in time; an answer tells how long it took", async () => {
    const connection = farEnd(fakeConnection());
    const late = connection.ask("/p", () => new Promise(() => {}));
    await clock.advance(TIMEOUT_MS);
    expect((await late).failure?.code).toBe("timeout");
    const answered = connection.ask("/p", () => new Promise((resolve) => clock.schedule(300, () => resolve("yes"))));
    await clock.advance(300);
    expect(await answered).toEqual({ answer: "yes", failure: null, durationMs: 300 });
    expect([listeners, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("is given a quarter of a second to close", async () => {
    const current = fakeConnection();
    const settled: string[] = [];
    const settling = farEnd(current)
      .settle()
      .then(() => settled.push("in time"));
    await clock.advance(249);
    expect(settled).toEqual([]);
    await clock.advance(1);
    await settling;
    const closing = farEnd(current)
      .settle()
      .then(() => settled.push("closed"));
    closes(current);
    await clock.advance(0);
    await closing;
    expect([settled, listeners, clock.pendingTimers]).toEqual([["in time", "closed"], [], 0]);
  });
});

describe("a heartbeat whose stream does not open", () => {
  const trial = (connection: HostConnection) =>
    tryHeartbeat(connection, { clock, cuts: NO_CUTS, self: SELF, format: FORMAT, timeoutMs: TIMEOUT_MS });

  test("in time: a timeout, and the stream that opens late is aborted", async () => {
    const opening = Promise.withResolvers<ReturnType<FakeStream["asStream"]>>();
    const tried = trial(fakeConnection({ newStream: () => opening.promise }));
    await clock.advance(TIMEOUT_MS);
    expect(await tried).toMatchObject({ kind: "not_opened", failure: { code: "timeout" } });
    const late = new FakeStream();
    opening.resolve(late.asStream());
    await clock.advance(0);
    expect(late.aborts).toMatchObject([{ code: "aborted" }]);
  });

  test("because the far end does not serve it", async () => {
    const tried = trial(fakeConnection({ newStream: () => Promise.reject(named("UnsupportedProtocolError")) }));
    expect(await tried).toMatchObject({ kind: "not_opened", failure: { code: "protocol_unsupported" } });
  });
});
