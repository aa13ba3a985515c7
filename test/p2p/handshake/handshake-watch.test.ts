/** Handshakes between real hosts with different pre-shared keys. test/interop has those with Go hosts and their ECDSA identities. */
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { FirstBytes } from "../../../src/p2p/handshake/first-bytes.ts";
import { HandshakeWatch } from "../../../src/p2p/handshake/handshake-watch.ts";
import { hasEcdsaKey } from "../../../src/p2p/handshake/identity-key.ts";
import { peerIdOf } from "../../../src/p2p/host/connection-index.ts";
import { createNode, startNode, stopNode } from "../../../src/p2p/host/node.ts";
import type { Verdict } from "../../../src/reconciler/ports.ts";
import { openDoor } from "../../support/partner-host.ts";

const swarmKey = (byte: string) => Buffer.from(`/key/swarm/psk/1.0.0/\n/base16/\n${byte.repeat(64)}\n`);

let owner: AsyncDisposableStack;
beforeEach(() => {
  owner = new AsyncDisposableStack();
});
afterEach(() => owner.disposeAsync());

async function startHost(privateKey: PrivateKey, psk: Uint8Array | null) {
  const inbound: ErrorCode[] = [];
  const handshakes = new HandshakeWatch({ isPrivate: psk !== null, onInboundFailure: ({ code }) => inbound.push(code) });
  const listen = ["/ip4/127.0.0.1/tcp/0"];
  const admission = { verdictOn: (): Verdict => "ok" };
  const shared = { door: openDoor(), clock: systemClock, admission, version: "0.0.0" };
  const node = await createNode({ ...shared, privateKey, listen, swarmKey: psk, handshakes });
  await startNode(node, listen);
  owner.defer(() => stopNode(node, systemClock));
  return { node, handshakes, inbound, peerId: peerIdOf(peerIdFromPrivateKey(privateKey)) };
}

type TestHost = Awaited<ReturnType<typeof startHost>>;

async function dial(from: TestHost, to: TestHost): Promise<ErrorCode | "connected" | "unknown"> {
  const address = multiaddr(`${to.node.getMultiaddrs()[0]}`);
  const signal = AbortSignal.timeout(20_000);
  const isConnected = await from.node.dial(address, { signal }).then(
    () => true,
    () => false,
  );
  return isConnected ? "connected" : (from.handshakes.takeFailure(to.peerId)?.code ?? "unknown");
}

const ed25519 = (seed: number) => generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed));

describe("a pre-shared key", () => {
  it.each([
    ["different ones", "a", "b"],
    ["one only at the dialling end", "a", null],
    ["one only at the far end", null, "b"],
  ])("%s: is suspected at once, at both ends where both can know", async (_, ours, theirs) => {
    const one = await startHost(await ed25519(1), ours === null ? null : swarmKey(ours));
    const other = await startHost(await ed25519(2), theirs === null ? null : swarmKey(theirs));
    expect(await dial(one, other)).toBe("psk_mismatch");
    expect(one.inbound).toEqual([]);
    if (ours !== null) expect(other.inbound).toEqual(["psk_mismatch"]);
  });

  it("the same at both ends: connects", async () => {
    const one = await startHost(await ed25519(1), swarmKey("a"));
    const other = await startHost(await ed25519(2), swarmKey("a"));
    expect(await dial(one, other)).toBe("connected");
    expect(other.inbound).toEqual([]);
  });
});

/** The payload that a Go host with an ECDSA identity sends: field 1 is its key, whose field 1 is the key's type. */
it.each([
  ["ECDSA", 3, 91, true],
  ["ECDSA, P-521", 3, 158, true],
  ["Ed25519", 1, 32, false],
  ["RSA", 0, 294, false],
] as const)("the type of an identity key is recognized: %s", (_, type, length, expected) => {
  const varint = (value: number) => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);
  const key = [0x08, type, 0x12, ...varint(length), ...new Uint8Array(length)];
  expect(hasEcdsaKey(Uint8Array.from([0x0a, ...varint(key.length), ...key, 0x12, 0]))).toBe(expected);
});

it.each([
  ["incomplete", "\x13/multi"],
  ["multistream", "\x13/multistream/1.0.0\n\x07/noise\n"],
  ["other", "\x13/xx"],
  ["text", "HTTP/1.1 400 Bad Request\r\n"],
  ["nonce", "\x01\x80abcdefghijklmnopqrstuv"],
] as const)("the first bytes are recognized, in any pieces: %s", (expected, text) => {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at <= bytes.length; at++) {
    const first = new FirstBytes();
    first.add(bytes.subarray(0, at));
    first.add(bytes.subarray(at));
    expect(first.beginning).toBe(expected);
  }
});
