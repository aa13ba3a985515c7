/** Examinations of real hosts, willing and unwilling. */
import { generateKeyPairFromSeed, publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Connection, Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { Address, PeerId } from "../../../src/base/ids.ts";
import { abortable } from "../../../src/base/pause.ts";
import { type DialPlanner, dialAsGiven } from "../../../src/p2p/dial/dial-planner.ts";
import { answerChallenge } from "../../../src/p2p/heartbeat/echo.ts";
import { IDENTIFY_PROTOCOL, INBOUND_STREAM_EVERY_MS, PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { REFUSAL_GRACE_MS } from "../../../src/reconciler/backoff.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { examine } from "../../support/examining.ts";
import { paceClock } from "../../support/pace/pace.ts";
import { loopbackAddress, startPartnerHost, startTestNode, type TestNode } from "../../support/partner-host.ts";
import { startRawPeer } from "../../support/raw-peer.ts";
import { floodWithStreams } from "../../support/stream-flood.ts";

let owner: AsyncDisposableStack;
let peer: TestNode;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  peer = owner.use(await startTestNode(2));
});
afterEach(() => owner.disposeAsync());

const addressOf = ({ port, peerId }: TestNode) => loopbackAddress(port, peerId);
const keyOfSeed = (seed: number) => generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed));
const serve = (protocol: string, handler: (stream: Stream) => void) => peer.node.handle(protocol, handler);
const echo = (stream: Stream) => void answerChallenge(stream, paceClock, () => {});

/** Resets a stream whose first heartbeat `accepts` refuses. */
function reader(accepts: (heartbeat: Record<string, unknown>) => boolean): (stream: Stream) => void {
  return (stream) =>
    stream.addEventListener("message", ({ data }) => {
      const heartbeat = JSON.parse(Buffer.from(data.subarray()).toString()) as Record<string, unknown>;
      if (!accepts(heartbeat)) stream.abort(new Error("no"));
    });
}

describe("a partner like this daemon", () => {
  it("passes every step, and has one stream of a stranger for as long as it takes", async () => {
    const partner = owner.use(await startPartnerHost(3));
    const examined = await examine(addressOf(partner));
    expect(examined.steps).toEqual([
      "address",
      "dial_policy",
      "tcp",
      "psk",
      "noise",
      "muxer",
      "identify",
      "protocols",
      "heartbeat",
      "challenge",
      "echo",
    ]);
    expect(examined.of("noise")).toMatchObject({ expected: partner.peerId, found: partner.peerId, failure: null });
    expect(examined.of("identify").facts).toMatchObject({ protocolsOmitted: 0, protocolVersion: "ipfs/0.1.0" });
    expect(examined.of("protocols")).toMatchObject({ heartbeat: true, challenge: true });
    expect(examined.of("heartbeat")).toMatchObject({ trials: [{ outcome: { kind: "accepted" } }] });
    const [challenged = 0] = examined.of("heartbeat").challengedBytes;
    expect(challenged).toBeGreaterThanOrEqual(512);
    expect(examined.of("challenge").trials).toMatchObject([{ bytes: 2_048, outcome: "echoed" }]);
    expect(examined.of("echo").trials).toMatchObject([
      { bytes: 65_536, outcome: "echoed" },
      { bytes: 1_048_576, outcome: "echoed" },
    ]);
    expect(partner.events.map(({ type }) => type)).toEqual(["StreamOpened", "StreamClosed"]);
  });

  it("is found by an address without a PeerID, which is planned once", async () => {
    const partner = owner.use(await startPartnerHost(3));
    const address = addressOf(partner).replace(/\/p2p\/.*/, "") as Address;
    const plan = vi.fn<DialPlanner["plan"]>((...asked) => dialAsGiven.plan(...asked));
    const examined = await examine(address, { dialPlanner: { plan } });
    expect(plan).toHaveBeenCalledTimes(1);
    expect(examined.of("noise")).toMatchObject({ expected: null, found: partner.peerId, failure: null });
    expect(examined.of("echo").trials).toHaveLength(2);
  });
});

describe("heartbeats", () => {
  it("that are all reset: every format is tried, then the challenge", async () => {
    await serve(
      PARTNER_PROTOCOL,
      reader(() => false),
    );
    await serve(PROBE_PROTOCOL, echo);
    const examined = await examine(addressOf(peer));
    const { trials } = examined.of("heartbeat");
    expect(trials).toHaveLength(12);
    for (const { outcome } of trials) expect(outcome).toMatchObject({ kind: "ended", remoteEnd: "reset" });
    expect(examined.of("challenge").trials).toMatchObject([{ outcome: "echoed" }]);
  });

  it.each([
    [
      { fields: "go", timestamp: "unix" },
      (sent: Record<string, unknown>) => "Name" in sent && typeof sent["Timestamp"] === "number",
    ],
    [{ fields: "snake", timestamp: "unix" }, (sent: Record<string, unknown>) => "peer_id" in sent && !("PeerID" in sent)],
    [
      { fields: "both", timestamp: "none" },
      (sent: Record<string, unknown>) => "PeerID" in sent && "name" in sent && !("timestamp" in sent),
    ],
  ] as const)("in one format alone are found: %j", async (format, accepts) => {
    await serve(PARTNER_PROTOCOL, reader(accepts));
    const { trials } = (await examine(addressOf(peer))).of("heartbeat");
    expect(trials.at(-1)).toMatchObject({ format, outcome: { kind: "accepted" } });
    expect(trials.slice(0, -1).every(({ outcome }) => outcome.kind === "ended")).toBe(true);
  });

  it("in more formats, on request: after four that were accepted, only as often as a far end like this daemon allows", async () => {
    await serve(
      PARTNER_PROTOCOL,
      reader(() => true),
    );
    const pausesMs: number[] = [];
    const clock: Clock = {
      wallMs: () => paceClock.wallMs(),
      monotonicMs: () => paceClock.monotonicMs(),
      schedule: (delayMs, task) => {
        pausesMs.push(delayMs);
        return paceClock.schedule(delayMs === REFUSAL_GRACE_MS || delayMs === INBOUND_STREAM_EVERY_MS ? 20 : delayMs, task);
      },
    };
    const { trials } = (await examine(addressOf(peer), { clock, moreFormats: true })).of("heartbeat");
    expect(trials.map(({ outcome }) => outcome.kind)).toEqual(Array<string>(6).fill("accepted"));
    expect(pausesMs.filter((delayMs) => delayMs === INBOUND_STREAM_EVERY_MS)).toHaveLength(2);
  });

  type Abortable = Pick<Connection, "abort">;
  it.each([
    ["resets its streams and drops the connection", "reset", (connection: Abortable) => connection.abort(new Error("no"))],
    [
      "drops the connection",
      "connection_lost",
      (connection: Abortable) => (connection as unknown as { maConn: Abortable }).maConn.abort(new Error("no")),
    ],
  ] as const)("after which the far end %s: it is dialled again", async (_, remoteEnd, drop) => {
    await peer.node.handle(PARTNER_PROTOCOL, (stream, connection) => stream.addEventListener("message", () => drop(connection)));
    await serve(PROBE_PROTOCOL, echo);
    const examined = await examine(addressOf(peer));
    const { trials } = examined.of("heartbeat");
    expect(trials).toHaveLength(12);
    for (const { outcome } of trials) expect(outcome).toMatchObject({ kind: "ended", remoteEnd });
    expect(examined.of("challenge").trials).toMatchObject([{ outcome: "echoed" }]);
  });

  it.each([
    ["soon, so that no other format goes out on the closing connection", 100],
    ["later, so that the format that went out on it is sent again", 400],
  ])("after which the far end resets the stream, and closes the connection %s", async (_, delayMs) => {
    await peer.node.handle(PARTNER_PROTOCOL, (stream, connection) =>
      stream.addEventListener("message", ({ data }) => {
        const sent = JSON.parse(Buffer.from(data.subarray()).toString()) as Record<string, unknown>;
        if ("PeerID" in sent && !("peer_id" in sent)) return;
        stream.abort(new Error("no"));
        paceClock.schedule(delayMs, () => connection.abort(new Error("no")));
      }),
    );
    const { trials } = (await examine(addressOf(peer))).of("heartbeat");
    expect(trials).toMatchObject([
      { format: { fields: "both", timestamp: "unix" }, outcome: { kind: "ended", remoteEnd: "reset" } },
      { format: { fields: "go", timestamp: "unix" }, outcome: { kind: "accepted" } },
    ]);
  });

  it("that the far end does not serve end the search at once", async () => {
    const { trials } = (await examine(addressOf(peer))).of("heartbeat");
    expect(trials).toMatchObject([{ outcome: { kind: "not_opened", failure: { code: "protocol_unsupported" } } }]);
  });
});

describe("the challenge", () => {
  it("that the far end does not serve", async () => {
    const examined = await examine(addressOf(peer));
    expect(examined.of("protocols")).toMatchObject({ heartbeat: false, challenge: false });
    expect(examined.of("challenge").trials).toMatchObject([{ outcome: "unsupported" }]);
    expect(examined.steps.at(-1)).toBe("challenge");
  });

  it("that comes back changed", async () => {
    await serve(PROBE_PROTOCOL, (stream) =>
      stream.addEventListener("message", ({ data }) => stream.send(new Uint8Array(data.byteLength))),
    );
    const { trials } = (await examine(addressOf(peer))).of("challenge");
    expect(trials).toMatchObject([{ outcome: "failed", failure: { code: "challenge_failed" } }]);
  });

  it("that is limited to 64 KiB, as in some Go programs", async () => {
    await serve(PROBE_PROTOCOL, (stream) => {
      let received = 0;
      stream.addEventListener("message", ({ data }) => {
        received += data.byteLength;
        if (received > 65_536) stream.abort(new Error("too long"));
        else stream.send(data.subarray());
      });
      stream.addEventListener("remoteCloseWrite", () => void stream.close().catch(() => {}));
    });
    const { trials } = (await examine(addressOf(peer))).of("echo");
    expect(trials).toMatchObject([{ outcome: "echoed" }, { bytes: 1_048_576, outcome: "failed" }]);
  });
});

describe("a far end that exceeds a limit, so that we cut the connection", () => {
  const failure = { code: "flooded", message: expect.stringContaining("32 stream openings") as string };

  it("at once: is reported in place of the step in progress", async () => {
    peer.node.addEventListener("connection:open", ({ detail }) => void floodWithStreams(detail));
    const examined = await examine(addressOf(peer));
    expect(examined.of("limits")).toEqual({ step: "limits", failure });
    expect(examined.steps).not.toContain("heartbeat");
  });

  it("after our heartbeat: no other format is tried, and none is blamed", async () => {
    let heartbeats = 0;
    await peer.node.handle(PARTNER_PROTOCOL, (stream, connection) =>
      stream.addEventListener("message", () => {
        heartbeats += 1;
        void floodWithStreams(connection);
      }),
    );
    const examined = await examine(addressOf(peer));
    expect(examined.steps.slice(-2)).toEqual(["protocols", "limits"]);
    expect(examined.of("limits")).toEqual({ step: "limits", failure });
    expect(heartbeats).toBe(1);
  });
});

describe("a far end that does not want us", () => {
  it("and closes the connection after the handshake", async () => {
    peer.setVerdict("blacklisted");
    const examined = await examine(addressOf(peer));
    expect(examined.steps.at(-1)).toBe("muxer");
    expect(examined.of("muxer")).toMatchObject({ pongMs: null, failure: { code: "refused" } });
  });

  it("and never answers a ping", async () => {
    const silent = owner.use(await startRawPeer(["/ip4/127.0.0.1/tcp/0"]));
    const examined = await examine(silent.addresses[0] as Address, { timeoutMs: 1_000 });
    expect(examined.of("muxer")).toMatchObject({ muxer: "/yamux/1.0.0", pongMs: null, failure: { code: "timeout" } });
    expect(examined.steps.at(-1)).toBe("muxer");
  });
});

describe("a hostile description", () => {
  /** A length-delimited field of a protobuf message. */
  const field = (number: number, bytes: Uint8Array) =>
    Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
  const varint = (value: number): Buffer =>
    value < 0x80 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >> 7)]);
  const describeAs = async (message: Uint8Array) => {
    await peer.node.unhandle(IDENTIFY_PROTOCOL);
    await serve(IDENTIFY_PROTOCOL, (stream) => {
      stream.send(Buffer.concat([varint(message.length), message]));
      stream.close().catch(() => {});
    });
  };

  it("is cut: its agent and its protocols, and what it cut off is unknown", async () => {
    const key = field(1, publicKeyToProtobuf((await keyOfSeed(2)).publicKey));
    const protocols = Array.from({ length: 500 }, (_, index) => field(3, Buffer.from(`/p/${index}`)));
    await describeAs(Buffer.concat([key, field(6, Buffer.alloc(2_000, "a")), ...protocols]));
    const examined = await examine(addressOf(peer));
    expect(examined.of("identify").facts?.agent).toHaveLength(256);
    expect(examined.of("identify").facts).toMatchObject({ protocolsOmitted: 436 });
    expect(examined.of("protocols")).toMatchObject({ heartbeat: null, challenge: null });
    expect(examined.of("heartbeat").trials).toHaveLength(1);
  });

  it("of a megabyte is refused, and the other steps follow", async () => {
    await describeAs(Buffer.alloc(1_048_576, "a"));
    const examined = await examine(addressOf(peer));
    expect(examined.of("identify")).toMatchObject({ facts: null, failure: { code: "identify_malformed" } });
    expect(examined.of("heartbeat").trials).toHaveLength(1);
  });
});

describe("an address", () => {
  it("without TCP, and our own, are not dialled", async () => {
    const privateKey = await keyOfSeed(7);
    const own = peerIdFromPrivateKey(privateKey).toString() as PeerId;
    const without = await examine(`/ip4/192.0.2.1/udp/1/quic-v1/p2p/${peer.peerId}` as Address);
    expect([without.steps, without.of("address").defect]).toEqual([["address"], "not_tcp"]);
    const ours = await examine(loopbackAddress(1, own), { privateKey });
    expect([ours.steps, ours.of("address").defect]).toEqual([["address"], "own_identity"]);
  });

  const planning = (plan: DialPlanner["plan"], clock: Clock = paceClock) =>
    examine(addressOf(peer), { dialPlanner: { plan }, clock });

  it("that is denied says how to permit it; another failure of its plan does not", async () => {
    const denied = new PartnerdError("address_denied", "denied", { nextStep: "permit it" });
    const examined = await planning(() => Promise.reject(denied));
    expect(examined.steps).toEqual(["address", "dial_policy"]);
    expect(examined.of("dial_policy")).toMatchObject({ failure: { code: "address_denied" }, permit: "permit it" });
    const unresolved = new PartnerdError("name_unresolved", "unknown", { nextStep: "check the name" });
    expect((await planning(() => Promise.reject(unresolved))).of("dial_policy")).toMatchObject({
      failure: { code: "name_unresolved" },
      permit: null,
    });
    const foreign = Object.assign(new Error("in any words"), { code: "EAI_AGAIN" });
    expect((await planning(() => Promise.reject(foreign))).of("dial_policy").failure?.code).toBe("dial_failed");
  });

  it("whose plan fails for a fault of our own ends the examination with it", async () => {
    await expect(planning(() => Promise.reject(new TypeError("a bug")))).rejects.toThrow("a bug");
  });

  it("that is not resolved in time is a timeout", async () => {
    const clock = new VirtualClock();
    const waiting = Promise.withResolvers<void>();
    const examined = planning((_, __, signal) => {
      waiting.resolve();
      return abortable(new Promise(() => {}), signal);
    }, clock);
    await waiting.promise;
    await clock.advance(5_000);
    expect((await examined).of("dial_policy").failure?.code).toBe("timeout");
  });
});

describe("another peer than the address names", () => {
  it.each([
    ["with an Ed25519 key", "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh"],
    ["with an RSA key, which noise does not compare", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"],
  ])("%s: tells which one is there", async (_, other) => {
    const examined = await examine(loopbackAddress(peer.port, other as PeerId));
    expect(examined.steps.at(-1)).toBe("noise");
    expect(examined.of("noise")).toMatchObject({ expected: other, found: peer.peerId, failure: { code: "identity_mismatch" } });
  });
});
