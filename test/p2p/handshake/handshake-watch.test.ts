/** Handshakes between real hosts with different pre-shared keys. test/interop has those with Go hosts and their ECDSA identities. */
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { type ErrorCode, PartnerdError } from "../../../src/base/errors.ts";
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

describe("another program", () => {
  it.each([
    ["text", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
    ["a short text", "-ERR Protocol error\r\n"],
    ["a greeting of MySQL", "\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0\x1d\x4e\x03\x7f\x59\x2e\x11\x50\0\xff\xff\xff\x02\0"],
    ["a TLS alert", "\x15\x03\x03\0\x02\x02\x32"],
    ["the settings of HTTP/2", "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff"],
  ])("that answers with %s is recognized, and not suspected of a pre-shared key", async (_, greeting) => {
    for (const failure of await failuresWith(greeting))
      expect(failure).toMatchObject({ code: "dial_failed", message: expect.stringContaining("another protocol") as string });
  });

  it("that answers with a few bytes is not suspected of a pre-shared key", async () => {
    expect(await failuresWith("NO\r\n")).toEqual([undefined, undefined]);
  });

  /** Why dials to a server fail that answers with `greeting`: without and with a pre-shared key. */
  async function failuresWith(greeting: string): Promise<readonly (PartnerdError | undefined)[]> {
    const { port } = await answering(Buffer.from(greeting, "latin1"));
    const failures: (PartnerdError | undefined)[] = [];
    for (const psk of [null, swarmKey("a")]) {
      const host = await startHost(await ed25519(1), psk);
      const peerId = peerIdOf(peerIdFromPrivateKey(await ed25519(2)));
      const dialled = host.node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`));
      await expect(dialled).rejects.toThrow();
      failures.push(host.handshakes.takeFailure(peerId));
    }
    return failures;
  }

  it("that dials us and sends text is closed for that, not for a time limit, and is not reported", async () => {
    for (const psk of [null, swarmKey("a")]) {
      const host = await startHost(await ed25519(1), psk);
      const reasons = closeReasonsOf(host);
      const caller = createConnection(Number(host.node.getMultiaddrs()[0]?.getComponents()[1]?.value));
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      caller.on("error", () => {});
      caller.on("close", () => resolve());
      caller.write("GET / HTTP/1.1\r\nHost: partner.example\r\n\r\n");
      await closed;
      expect(reasons).toMatchObject([{ code: "dial_failed", message: expect.stringContaining("another protocol") as string }]);
      expect(host.inbound).toEqual([]);
    }
  });
});

/** The errors by which the connections of `host` close. */
function closeReasonsOf({ handshakes }: TestHost): readonly unknown[] {
  const reasons: unknown[] = [];
  const connected = handshakes.connected.bind(handshakes);
  vi.spyOn(handshakes, "connected").mockImplementation((connection) => {
    connection.addEventListener("close", ({ error }) => reasons.push(error));
    connected(connection);
  });
  return reasons;
}

/** A TCP server that answers the first bytes with `greeting`, and closes. */
async function answering(greeting: Buffer): Promise<{ readonly port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(greeting));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  owner.defer(() => void server.close());
  return { port: (server.address() as AddressInfo).port };
}

it("a far end that exceeds a limit during the handshake: the dial fails with the limit", async () => {
  const [host, other] = [await startHost(await ed25519(1), null), await startHost(await ed25519(2), null)];
  const connected = host.handshakes.connected.bind(host.handshakes);
  vi.spyOn(host.handshakes, "connected").mockImplementation((connection) => {
    connected(connection);
    connection.abort(new PartnerdError("buffer_full", "more bytes than a handshake has"));
  });
  expect(await dial(host, other)).toBe("buffer_full");
});

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

  it.each([
    ["mostly printable bytes", "\x80k3Fq\x9aZb7wPe2Xs9Lm\xf1Ud4\x02Rt"],
    ["many zeros", "\x80\0\x9aq\xe2\0Zb\xf0\xc3\0k\x88\xd9\0s\x91\xfe3\xa7\x1d\xbc^\xe8"],
    ["repetitions", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\xc3\x14k\x88\xd9\x02s\x91\xfe3\xa7\x1d\xbc^\xe8"],
    ["text", "-ERR Protocol error\r\n...."],
    ["a TLS alert", "\x15\x03\x03\0\x02\x02\x32\xf0\xc3\x14k\x88\xd9\x02s\x91\xfe3\xa7\x1d\xbc^\xe8\x07"],
  ])("the same at both ends, and nonces that look like %s: connects", async (_, text) => {
    const nonce = Buffer.from(text.slice(0, 24), "latin1");
    const seen = new FirstBytes();
    seen.add(nonce);
    expect(seen.beginning).toBe("foreign");
    const random = crypto.getRandomValues.bind(crypto);
    using spy = vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
      if (!(array instanceof Uint8Array) || array.length !== nonce.length) return random(array);
      array.set(nonce);
      return array;
    });
    const one = await startHost(await ed25519(1), swarmKey("a"));
    const other = await startHost(await ed25519(2), swarmKey("a"));
    expect(await dial(one, other)).toBe("connected");
    expect(spy.mock.results.filter(({ value }) => nonce.equals(value as Uint8Array))).toHaveLength(2);
  });
});

/** The payload of a host with a key of this type and length: field 1 is the key, whose field 1 is the type. */
function payloadOf(type: number, length: number): Uint8Array {
  const varint = (value: number) => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >> 7]);
  const key = [0x08, type, 0x12, ...varint(length), ...new Uint8Array(length)];
  return Uint8Array.from([0x0a, ...varint(key.length), ...key, 0x12, 0]);
}

it.each([
  ["ECDSA", 3, 91, true],
  ["ECDSA, P-521", 3, 158, true],
  ["Ed25519", 1, 32, false],
  ["RSA", 0, 294, false],
] as const)("the type of an identity key is recognized: %s", (_, type, length, expected) => {
  expect(hasEcdsaKey(payloadOf(type, length))).toBe(expected);
});

it.each([
  ["an ECDSA key, which the library cannot read,", 3, "/ip4/192.0.2.1/tcp/1", "identity_unsupported", ["192.0.2.1"]],
  ["an ECDSA key from an unknown address", 3, "/", "identity_unsupported", ["unknown"]],
  ["another reason", 1, "/ip4/192.0.2.1/tcp/1", "any", []],
])("a handshake that fails for %s is reported as such", async (_, keyType, address, code, reported) => {
  const addresses: string[] = [];
  const watch = new HandshakeWatch({ isPrivate: false, onInboundFailure: (_error, from) => addresses.push(from) });
  const bytes = { direction: "inbound", remoteAddr: multiaddr(address), readBuffer: new Uint8Array(), onData: () => {} };
  const connection = Object.assign(new EventTarget(), bytes) as never;
  watch.connected(connection);
  const encrypter = {
    crypto: { decrypt: () => payloadOf(keyType, 32) },
    secureInbound: async (_stream: unknown, _options: unknown) => {
      encrypter.crypto.decrypt();
      throw new PartnerdError("refused", "any", { cause: "any" });
    },
    secureOutbound: async () => {},
  };
  watch.watchEncrypter(encrypter as never);
  const failure = await encrypter.secureInbound(connection, {}).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: code === "any" ? "refused" : code });
  expect(addresses).toEqual(reported);
});

const NONCE = "\x01\x80\x9aq\xe2\x07Zb\xf0\xc3\x14k\x88\xd9\x02s\x91\xfe3\xa7\x1d\xbc^\xe8";
const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

it.each([
  ["incomplete", "\x13/multi"],
  ["multistream", "\x13/multistream/1.0.0\n\x07/noise\n"],
  ["other", "\x13/xx"],
  ["other", "220\r\n"],
  ["nonce", NONCE],
  ["foreign", "HTTP/1.1 400 Bad Request\r\n"],
  ["foreign", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"],
  ["foreign", "-ERR Protocol error\r\n"],
  ["foreign", utf8("<p>Die Anfrage ist ungültig</p>")],
  ["foreign", utf8("неверный запрос")],
  // Cut in the middle of a character.
  ["foreign", utf8("<html><body>a bad requesté")],
  // Of MySQL: a greeting, and an error. Of MariaDB: a greeting.
  ["foreign", "\x4a\0\0\0\x0a8.0.36\0\x0b\0\0\0\x1d\x4e\x03\x7f\x59\x2e\x11\x50\0\xff\xff"],
  ["foreign", "\x45\0\0\0\xff\x6a\x04Host is not allowed"],
  ["foreign", "\x6e\0\0\0\x0a5.5.5-10.11.6-MariaDB-0+deb12u1\0"],
  // A fatal alert of TLS.
  ["foreign", "\x15\x03\x01\0\x02\x02\x28"],
  // An error of PostgreSQL, the settings of HTTP/2, options of telnet.
  ["foreign", "E\0\0\0\x8fSFATAL\0VFATAL\0C0A000\0"],
  ["foreign", "\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff"],
  ["foreign", "\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27\xff\xfb\x03\xff\xfd\x01\xff\xfd\x1f\xff\xfb\x05"],
] as const)("the first bytes are recognized, in any pieces: %s, %j", (expected, text) => {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at <= bytes.length; at++) {
    const first = new FirstBytes();
    first.add(bytes.subarray(0, at));
    first.add(bytes.subarray(at));
    expect(first.beginning).toBe(expected);
  }
});
