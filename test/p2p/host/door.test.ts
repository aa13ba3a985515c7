/** The door, with connections that the test plays: how it counts, bounds and cuts them. */
import type { Connection, MultiaddrConnection, Transport } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { connectionLimits } from "../../../src/p2p/budgets/connection-limits.ts";
import { Door, type DoorInit } from "../../../src/p2p/host/door.ts";
import { PARTNER_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { FakeStream, fakeConnection } from "../../support/fake-stream.ts";
import { PEER_A, PEER_B, PEER_C } from "../../support/peers.ts";

const MEBIBYTE = 1_048_576;

class FakeBytes extends EventTarget {
  readonly remoteAddr: Multiaddr;
  readonly direction = "inbound";
  readonly timeline = {};
  status = "open";
  readonly calls: string[] = [];
  readonly aborts: Error[] = [];
  onData = (): void => void this.calls.push("data");

  constructor(address = "/ip4/192.0.2.1/tcp/1") {
    super();
    this.remoteAddr = multiaddr(address);
  }

  receive(bytes: number): void {
    (this.onData as (data: Uint8Array) => void)(new Uint8Array(bytes));
  }
  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  abort(error: Error): void {
    this.aborts.push(error);
    this.close(error);
  }
  close(error?: Error): void {
    this.status = "closed";
    this.dispatchEvent(Object.assign(new Event("close"), { error }));
  }
  asConnection(): MultiaddrConnection {
    return this as unknown as MultiaddrConnection;
  }
}

let clock: VirtualClock;
let cuts: string[];
beforeEach(() => {
  clock = new VirtualClock();
  cuts = [];
});

const doorWith = (init: Partial<DoorInit> = {}) =>
  new Door({
    limits: connectionLimits(8, undefined),
    clock,
    isPartner: () => false,
    onCut: ({ code }: PartnerdError) => cuts.push(code),
    ...init,
  });

describe("a connection", () => {
  test("that ends because more is unsent than a layer may hold was cut by us; libp2p only names the error", () => {
    const door = doorWith();
    const [full, lost] = [new FakeBytes(), new FakeBytes()];
    for (const bytes of [full, lost]) door.dialled(bytes.asConnection());
    full.close(Object.assign(new Error("in any words"), { name: "StreamBufferError" }));
    lost.close(new Error("reset"));
    expect(cuts).toEqual(["buffer_full"]);
    expect(door.cutOf(full)).toMatchObject({ reason: "buffer_full" });
    expect(door.cutOf(lost)).toBeUndefined();
  });

  test("that sends too much before its handshake is complete is aborted, and what it sent goes no further", () => {
    const bytes = new FakeBytes();
    expect(doorWith().arrived(bytes.asConnection())).toBe(true);
    bytes.receive(1);
    bytes.receive(MEBIBYTE);
    bytes.receive(1);
    expect(bytes.calls).toEqual(["data"]);
    expect(bytes.aborts[0]).toMatchObject({ code: "buffer_full" });
    expect(cuts[0]).toBe("buffer_full");
  });

  test("is paused while it costs too much, and is left alone once it closes", async () => {
    const door = doorWith({ isPartner: () => true });
    const [open, closed] = [new FakeBytes(), new FakeBytes()];
    for (const bytes of [open, closed]) door.dialled(bytes.asConnection());
    closed.status = "closing";
    for (const bytes of [open, closed]) door.meterOf(bytes.asConnection()).spend(8 * MEBIBYTE);
    await clock.advance(10_000);
    expect([open.calls, closed.calls]).toEqual([["pause", "resume"], []]);
  });

  test("for which there is no place is refused; a fault is none of that", () => {
    const door = doorWith({ limits: connectionLimits(1, undefined) });
    expect(door.dialled(new FakeBytes().asConnection())).toBe(true);
    expect(door.arrived(new FakeBytes().asConnection())).toBe(false);
    for (const fault of [new TypeError("a bug"), new PartnerdError("internal_error", "a bug")]) {
      const faulty = doorWith({
        isPartner: () => {
          throw fault;
        },
      });
      const bytes = new FakeBytes();
      faulty.arrived(bytes.asConnection());
      expect(() => faulty.identified({ toString: () => PEER_B } as never, bytes.asConnection())).toThrow("a bug");
    }
  });

  test("yields to a newer one of the same stranger, unless it carries a partner stream", () => {
    const door = doorWith();
    const connect = (protocols: readonly string[]) => {
      const bytes = new FakeBytes();
      door.arrived(bytes.asConnection());
      door.identified({ toString: () => PEER_B } as never, bytes.asConnection());
      const streams = protocols.map((protocol) => Object.assign(new FakeStream(), { protocol }).asStream());
      door.opened({ ...fakeConnection({ streams }), timeline: bytes.timeline } as unknown as Connection);
      return bytes;
    };
    const [busy, idle] = [connect([PARTNER_PROTOCOL]), connect(["/other"])];
    connect([]);
    expect([busy.aborts, idle.aborts]).toMatchObject([[], [{ code: "too_many_connections" }]]);
  });
});

describe("a dial", () => {
  /** Whether a connection from this address counts as one of a partner that was dialled at this address. */
  async function isExpected(dialled: string, from: string): Promise<boolean> {
    const door = doorWith({
      isPartner: (peerId) => peerId === PEER_A,
      limits: { ...connectionLimits(8, undefined), handshakes: 0 },
    });
    const transport = { dial: async () => fakeConnection() } as unknown as Transport;
    await door.watchTransport(transport).dial(multiaddr(dialled), {} as never);
    return door.arrived(new FakeBytes(from).asConnection());
  }

  test.each([
    [`/ip4/192.0.2.1/tcp/1/p2p/${PEER_A}`, "/ip4/192.0.2.1/tcp/2", true],
    [`/ip6/2001:db8::1/tcp/1/p2p/${PEER_A}`, "/ip6/2001:db8::1/tcp/2", true],
    [`/ip4/192.0.2.1/tcp/1/p2p/${PEER_C}`, "/ip4/192.0.2.1/tcp/2", false],
    ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.1/tcp/2", false],
    [`/dns4/192.0.2.1/tcp/1/p2p/${PEER_A}`, "/ip4/192.0.2.1/tcp/2", false],
  ])("to %s makes a partner expected at %s: %s", async (dialled, from, expected) => {
    expect(await isExpected(dialled, from)).toBe(expected);
  });
});
