/** Dials of a far end and questions to it, with a host that the test plays. */
import { multiaddr } from "@multiformats/multiaddr";
import { beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { didOf } from "../../../src/base/ids.ts";
import { NO_CUTS } from "../../../src/p2p/budgets/cuts.ts";
import { FarEndDialler } from "../../../src/p2p/examination/dial-far-end.ts";
import { FarEndConnection } from "../../../src/p2p/examination/far-end-connection.ts";
import { tryHeartbeat } from "../../../src/p2p/examination/try-heartbeat.ts";
import type { Host, HostConnection } from "../../../src/p2p/host/host.ts";
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
