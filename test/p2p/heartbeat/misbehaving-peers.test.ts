import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { didOf } from "../../../src/base/ids.ts";
import type { ObservedEvent } from "../../../src/events/types.ts";
import { encodeHeartbeat } from "../../../src/p2p/wire/codec.ts";
import { MAX_ECHO_BYTES, PARTNER_PROTOCOL, PING_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { paceClock } from "../../support/pace/pace.ts";
import type { TestNode, TestPartnerHost } from "../../support/partner-host.ts";
import { eventually, loopbackAddress, startPartnerHost, startTestNode, timeoutSignal } from "../../support/partner-host.ts";
import { peerIdOfSeed } from "../../support/peer-ids.ts";
import { desiredPeer } from "../../support/peers.ts";

const SHORT_TIMEOUT_MS = 150;
/** Exceeds the error of converting an expiry between clocks. */
const LEAST_MOVE_MS = 10;
const bytesOf = (text: string) => new TextEncoder().encode(text);

type ProbeAnswer = (stream: Stream) => void;

/** Reads the whole challenge, replies with `answer` of it, and half-closes. */
const answering =
  (answer: (challenge: Uint8Array) => Uint8Array): ProbeAnswer =>
  (stream) => {
    const chunks: Uint8Array[] = [];
    stream.addEventListener("message", (event) => chunks.push(event.data.subarray()));
    stream.addEventListener("remoteCloseWrite", () => {
      stream.send(answer(Buffer.concat(chunks)));
      void stream.close();
    });
  };

describe("a host among misbehaving peers", () => {
  let owner: AsyncDisposableStack;
  let host: TestPartnerHost;
  let mallory: TestNode;
  let connection: Connection;
  let probes: number;

  beforeEach(async () => {
    owner = new AsyncDisposableStack();
    probes = 0;
    host = owner.use(
      await startPartnerHost(1, { firstHeartbeatTimeoutMs: SHORT_TIMEOUT_MS, challengeTimeoutMs: SHORT_TIMEOUT_MS }),
    );
    mallory = owner.use(await startTestNode(2));
    connection = await mallory.node.dial(multiaddr(loopbackAddress(host.port, host.peerId)));
  });

  /** After every test, a well-behaved partner must still get its stream. */
  afterEach(async () => {
    const partner = owner.use(await startPartnerHost(3));
    const desired = desiredPeer(host.peerId, { address: loopbackAddress(host.port, host.peerId) });
    await partner.streams.open(desired, timeoutSignal(5_000), ATTEMPT);
    await eventually(() => host.streams.peers().includes(partner.peerId));
    await owner.disposeAsync();
  });

  const heartbeat = () => encodeHeartbeat({ name: "mallory", did: didOf("did:m"), peerId: mallory.peerId }, Date.now(), "unix");

  async function answerProbes(answer: ProbeAnswer): Promise<void> {
    await mallory.node.handle(PROBE_PROTOCOL, (stream) => {
      probes++;
      answer(stream);
    });
  }

  async function openStream(...messages: Uint8Array[]): Promise<Stream> {
    const stream = await connection.newStream(PARTNER_PROTOCOL);
    for (const message of messages) stream.send(message);
    return stream;
  }

  const ofMallory = (): ObservedEvent[] => host.events.filter(({ peerId }) => peerId === mallory.peerId);

  async function expectRefused(stream: Stream, reason: string): Promise<void> {
    await eventually(() => stream.status !== "open" && ofMallory().length > 0);
    expect(stream.status).toBe("reset");
    expect(ofMallory()).toEqual([expect.objectContaining({ type: "InboundRefused", reason })]);
    expect(host.streams.actual(mallory.peerId).inbound).toBeNull();
  }

  it.each([
    ["garbage", () => bytesOf("GET / HTTP/1.1\r\n\r\n"), "heartbeat_malformed"],
    ["broken UTF-8", () => Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), "heartbeat_malformed"],
    ["a line without end", () => bytesOf(`{"name":"${"x".repeat(70_000)}`), "heartbeat_too_long"],
    ["no peer id", () => bytesOf('{"name":"mallory"}\n'), "peer_id_mismatch"],
  ])("refuses a stream that starts with %s", async (_, message, reason) => {
    await answerProbes(answering((challenge) => challenge));
    await expectRefused(await openStream(message()), reason);
    expect(probes).toBe(0);
  });

  it("refuses a stream in another peer's name", async () => {
    const somebodyElse = await peerIdOfSeed(9);
    const message = encodeHeartbeat({ name: "mallory", did: didOf("did:m"), peerId: somebodyElse }, 0, "unix");
    await expectRefused(await openStream(message), "peer_id_mismatch");
  });

  it("refuses a stream without a heartbeat", async () => {
    await expectRefused(await openStream(), "heartbeat_missing");
  });

  it("refuses a stream whose heartbeat never ends", async () => {
    await expectRefused(await openStream(heartbeat().subarray(0, 20)), "heartbeat_missing");
  });

  it.each<[string, ProbeAnswer]>([
    ["other bytes", answering((challenge) => challenge.map((byte, index) => (index === 400 ? byte ^ 1 : byte)))],
    ["too few bytes", answering((challenge) => challenge.subarray(1))],
    ["too many bytes", answering((challenge) => Buffer.concat([challenge, Buffer.of(0)]))],
    ["nothing", () => {}],
    ["all bytes but no end", (stream) => stream.addEventListener("message", (event) => void stream.send(event.data))],
    ["a reset", (stream) => stream.abort(new Error("no"))],
    ["an end at once", (stream) => void stream.close()],
  ])("refuses a peer that answers the challenge with %s", async (_, answer) => {
    await answerProbes(answer);
    await expectRefused(await openStream(heartbeat()), "challenge_failed");
    expect(probes).toBe(1);
  });

  it("refuses a peer that answers correctly but too slowly", async () => {
    await answerProbes((stream) => {
      stream.addEventListener("message", (event) => {
        const bytes = [...event.data.subarray()];
        const timer = setInterval(() => {
          const byte = bytes.shift();
          if (byte === undefined || stream.status !== "open") clearInterval(timer);
          else stream.send(Uint8Array.of(byte));
        }, SHORT_TIMEOUT_MS / 10);
      });
    });
    await expectRefused(await openStream(heartbeat()), "challenge_failed");
    const [refusal] = ofMallory();
    expect(refusal?.type === "InboundRefused" && refusal.message).toContain(`within ${SHORT_TIMEOUT_MS} ms`);
  });

  it("refuses a peer that does not support the challenge", async () => {
    await expectRefused(await openStream(heartbeat()), "challenge_failed");
  });

  it("admits the same peer once it behaves, and reports later refusals", async () => {
    await expectRefused(await openStream(heartbeat()), "challenge_failed");
    await answerProbes(answering((challenge) => challenge));
    const stream = await openStream(heartbeat());
    await eventually(() => host.streams.actual(mallory.peerId).inbound !== null);
    stream.abort(new Error("bye"));
    await eventually(() => host.streams.actual(mallory.peerId).inbound === null);
    await mallory.node.unhandle(PROBE_PROTOCOL);
    await openStream(heartbeat());
    await eventually(() => ofMallory().length === 4);
    expect(ofMallory().map(({ type }) => type)).toEqual(["InboundRefused", "StreamOpened", "StreamClosed", "InboundRefused"]);
  });

  it.each(["closes", "resets"] as const)("reports a peer that %s its stream after each heartbeat", async (how) => {
    for (let tries = 1; tries <= 2; tries++) {
      const stream = await openStream(heartbeat());
      if (how === "closes") await stream.close();
      else stream.abort(new Error("one is enough"));
      await eventually(() => ofMallory().length === tries);
    }
    for (const event of ofMallory()) expect(event).toMatchObject({ type: "InboundRefused", reason: "ended_early" });
  });

  it("reports every refusal, so that the log can count repeated ones", async () => {
    for (let tries = 0; tries < 3; tries++) {
      const stream = await openStream(bytesOf("x"));
      await eventually(() => stream.status === "reset");
    }
    expect(ofMallory()).toHaveLength(3);
  });

  it("accepts heartbeats split into pieces or several in one piece, also during the challenge", async () => {
    const challenged = Promise.withResolvers<Stream>();
    await answerProbes(challenged.resolve);
    const message = heartbeat();
    const stream = await openStream(message.subarray(0, 7), message.subarray(7));
    const probe = await challenged.promise;
    stream.send(Buffer.concat([message, message]));
    answering((challenge) => challenge)(probe);
    await eventually(() => host.streams.actual(mallory.peerId).inbound !== null);
    const { inbound } = host.streams.actual(mallory.peerId);
    await eventually(() => paceClock.monotonicMs() > (inbound?.openedAtMs ?? 0) + 2 * LEAST_MOVE_MS);
    stream.send(message);
    const before = inbound?.expiresAtMs ?? 0;
    await eventually(() => (host.streams.actual(mallory.peerId).inbound?.expiresAtMs ?? 0) > before + LEAST_MOVE_MS);
    expect(ofMallory()).toHaveLength(1);
  });

  it.each([
    ["garbage", async () => bytesOf("}")],
    ["another name", async () => encodeHeartbeat({ name: "x", did: didOf("d"), peerId: await peerIdOfSeed(9) }, 0, "unix")],
  ])("closes an established stream when %s arrives", async (_, message) => {
    await answerProbes(answering((challenge) => challenge));
    const stream = await openStream(heartbeat());
    await eventually(() => host.streams.actual(mallory.peerId).inbound !== null);
    stream.send(await message());
    await eventually(() => stream.status === "reset");
    expect(ofMallory().map((event) => ("reason" in event ? event.reason : event.type))).toEqual([
      "StreamOpened",
      "protocol_violation",
    ]);
  });

  it("evaluates the admission rule again after the challenge", async () => {
    const challenged = Promise.withResolvers<Stream>();
    await answerProbes(challenged.resolve);
    const stream = await openStream(heartbeat());
    const probe = await challenged.promise;
    host.setVerdict("not_partner");
    answering((challenge) => challenge)(probe);
    await expectRefused(stream, "not_partner");
    host.setVerdict("ok");
  });

  it("cancels a stream during its challenge when the peer is revoked", async () => {
    const challenged = Promise.withResolvers<Stream>();
    await answerProbes(challenged.resolve);
    const stream = await openStream(heartbeat());
    await challenged.promise;
    host.setVerdict("not_partner");
    host.streams.close(mallory.peerId, { direction: "both", reason: "revoked", dropConnections: false });
    await expectRefused(stream, "not_partner");
    host.setVerdict("ok");
  });

  it("does not report a peer that leaves before passing the challenge", async () => {
    const challenged = Promise.withResolvers<Stream>();
    await answerProbes(challenged.resolve);
    await openStream(heartbeat());
    await challenged.promise;
    connection.abort(new Error("gone"));
    await eventually(() => !host.streams.actual(mallory.peerId).connected);
    expect(ofMallory()).toEqual([]);
  });

  it("challenges at most two streams of a peer at once", async () => {
    await answerProbes(() => {});
    const streams = [await openStream(heartbeat()), await openStream(heartbeat()), await openStream()];
    await eventually(() => streams[2]?.status === "reset");
    expect(ofMallory()).toEqual([expect.objectContaining({ type: "InboundRefused", reason: "too_many_streams" })]);
    expect(streams.slice(0, 2).map((stream) => stream.status)).toEqual(["open", "open"]);
    await eventually(() => streams.every((stream) => stream.status === "reset"));
  });

  it("replaces an established stream with a newer one that has passed", async () => {
    await answerProbes(answering((challenge) => challenge));
    const older = await openStream(heartbeat());
    await eventually(() => host.streams.actual(mallory.peerId).inbound !== null);
    const newer = await openStream(heartbeat());
    await eventually(() => older.status === "reset");
    expect(newer.status).toBe("open");
    expect(ofMallory().map((event) => ("reason" in event ? event.reason : event.type))).toEqual([
      "StreamOpened",
      "replaced",
      "StreamOpened",
    ]);
  });

  /** Like go-libp2p, sends protocol, payload and (for a probe) end of input together, before the far end has agreed. */
  async function openOptimistically(protocol: string, payload: Uint8Array): Promise<Stream> {
    const { muxer } = connection as unknown as { muxer: { createStream(): Promise<Stream> } };
    const stream = await muxer.createStream();
    const line = (text: string) => Buffer.from(`${String.fromCharCode(text.length + 1)}${text}\n`, "latin1");
    stream.send(Buffer.concat([line("/multistream/1.0.0"), line(protocol), payload]));
    return stream;
  }

  it("admits a peer that sends its first heartbeat before we agree to the protocol", async () => {
    await answerProbes(answering((challenge) => challenge));
    await openOptimistically(PARTNER_PROTOCOL, heartbeat());
    await eventually(() => host.streams.actual(mallory.peerId).inbound !== null);
  });

  it("echoes for a peer that sent everything before we agree to the protocol", async () => {
    // On an established connection, as in practice: libp2p loses the end of input of an early stream.
    await eventually(() => host.streams.actual(mallory.peerId).connected);
    const stream = await openOptimistically(PROBE_PROTOCOL, bytesOf("all at once"));
    const received: Uint8Array[] = [];
    stream.addEventListener("message", (event) => received.push(event.data.subarray()));
    await stream.close();
    await eventually(() => stream.status === "closed");
    expect(Buffer.concat(received).toString()).toContain("all at once");
  });

  it("echoes for any peer, up to a limit", async () => {
    const small = await connection.newStream(PROBE_PROTOCOL);
    const received: Uint8Array[] = [];
    small.addEventListener("message", (event) => received.push(event.data.subarray()));
    small.send(bytesOf("hello, "));
    small.send(bytesOf("echo"));
    await small.close();
    await eventually(() => small.status === "closed");
    expect(Buffer.concat(received).toString()).toBe("hello, echo");

    const [large, endless] = [await connection.newStream(PROBE_PROTOCOL), await connection.newStream(PROBE_PROTOCOL)];
    let echoedBytes = 0;
    large.addEventListener("message", ({ data }) => {
      echoedBytes += data.byteLength;
    });
    large.send(new Uint8Array(MAX_ECHO_BYTES));
    await large.close();
    await eventually(() => large.status === "closed");
    expect(echoedBytes).toBe(MAX_ECHO_BYTES);

    endless.addEventListener("message", () => {});
    endless.send(new Uint8Array(MAX_ECHO_BYTES + 1));
    await eventually(() => endless.status === "reset");
  });

  it("echoes pings on one stream for as long as they are read", async () => {
    const stream = await connection.newStream(PING_PROTOCOL);
    const echoed: string[] = [];
    stream.addEventListener("message", ({ data }) => echoed.push(Buffer.from(data.subarray()).toString()));
    for (const ping of ["one", "two", "three"]) {
      stream.send(bytesOf(ping));
      await eventually(() => echoed.at(-1) === ping);
    }
    await stream.close();
    await eventually(() => stream.status === "closed");

    const unread = await connection.newStream(PING_PROTOCOL);
    unread.pause();
    unread.send(new Uint8Array(MAX_ECHO_BYTES));
    await eventually(() => unread.status === "reset");
  });
});
