import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPair, generateKeyPairFromSeed, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { KeyType, PrivateKey } from "@libp2p/interface";
import { describe, expect, it, test } from "vitest";
import { peerIdOfKey } from "../../src/identity/identity.ts";
import { EXPORT_FORMATS, exportedKey, KeyProblem, privateKeyIn, type RawKeyType } from "../../src/identity/key-formats.ts";

const GO_KEYS = JSON.parse(readFileSync(join(import.meta.dirname, "go-keys.json"), "utf8")) as readonly {
  readonly type: string;
  readonly peerId: string;
  readonly protobuf: string;
}[];

const TYPES: readonly KeyType[] = ["Ed25519", "secp256k1", "RSA"];

function keyIn(contents: Uint8Array | string, type?: RawKeyType): PrivateKey {
  const key = privateKeyIn(Buffer.from(contents as Uint8Array), type);
  if (key instanceof KeyProblem) throw new Error(key.problem);
  return key;
}

function problemIn(contents: Uint8Array | string, type?: RawKeyType): string {
  const key = privateKeyIn(Buffer.from(contents as Uint8Array), type);
  if (key instanceof KeyProblem) return key.problem;
  throw new Error(`it is a key of the type ${key.type}`);
}

describe.each(TYPES)("a key of the type %s", (type) => {
  it.each(EXPORT_FORMATS)("is the same after an export as %s", async (format) => {
    const key = await generateKeyPair(type);
    expect(keyIn(exportedKey(key, format)).equals(key)).toBe(true);
  });

  it("is read from go's protobuf, binary and as base64", async () => {
    const key = await generateKeyPair(type);
    const protobuf = privateKeyToProtobuf(key);
    expect(keyIn(protobuf).equals(key)).toBe(true);
    expect(keyIn(`${Buffer.from(protobuf).toString("base64")}\n`).equals(key)).toBe(true);
  });
});

describe("PEM", () => {
  const pem = (key: KeyObject): string => String(key.export({ format: "pem", type: "pkcs8" }));
  const encrypted = (key: KeyObject): string =>
    String(key.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" }));

  it("of Ed25519, RSA and secp256k1 is read as a key of that type", () => {
    expect(keyIn(pem(generateKeyPairSync("ed25519").privateKey)).type).toBe("Ed25519");
    expect(keyIn(pem(generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey)).type).toBe("RSA");
    expect(keyIn(pem(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey)).type).toBe("secp256k1");
  });

  it("of the example in RFC 8410 is the key of its seed", async () => {
    const example =
      "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const seed = Buffer.from("1O5y2/kTWErVttjx92n4rTr+fCjL8dT74Jeoj0R1WEI=", "base64");
    expect(keyIn(example).equals(await generateKeyPairFromSeed("Ed25519", seed))).toBe(true);
  });

  it.each([
    ["P-256", () => pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey), "an ECDSA key, which is unsupported"],
    ["X25519", () => pem(generateKeyPairSync("x25519").privateKey), "a key of the type x25519"],
    ["RSA of 1,024 bits", () => pem(generateKeyPairSync("rsa", { modulusLength: 1_024 }).privateKey), "of 1024 bits"],
    ["an encrypted key", () => encrypted(generateKeyPairSync("ed25519").privateKey), "an encrypted PEM key"],
    [
      "a public key",
      () => String(generateKeyPairSync("ed25519").publicKey.export({ format: "pem", type: "spki" })),
      "no private key",
    ],
    ["nothing", () => "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n", "no private key"],
  ])("of %s is refused", (_, make, problem) => {
    expect(problemIn(make())).toContain(problem);
  });
});

describe("a raw key", () => {
  const seed = new Uint8Array(32).fill(7);

  it.each([32, 64])("of %i bytes needs a type, as it could be mistaken for another", async (length) => {
    const raw = (await generateKeyPairFromSeed("Ed25519", seed)).raw.subarray(0, length);
    for (const contents of [raw, Buffer.from(raw).toString("base64")])
      expect(problemIn(contents)).toBe(`contains a raw key of ${length} bytes, which does not tell its type`);
  });

  it.each([32, 64])("of Ed25519 with %i bytes is read, binary and as hex or base64", async (length) => {
    const key = await generateKeyPairFromSeed("Ed25519", seed);
    const raw = Buffer.from(key.raw.subarray(0, length));
    for (const contents of [raw, raw.toString("hex"), `${raw.toString("base64")}\n`])
      expect(keyIn(contents, "ed25519").equals(key)).toBe(true);
  });

  it("of secp256k1 is read", async () => {
    const key = await generateKeyPair("secp256k1");
    for (const contents of [key.raw, Buffer.from(key.raw).toString("hex")])
      expect(keyIn(contents, "secp256k1").equals(key)).toBe(true);
  });

  it("of the wrong length, or with a public half of another key, is refused", async () => {
    const { raw } = await generateKeyPairFromSeed("Ed25519", seed);
    expect(problemIn(raw, "secp256k1")).toContain("contains 64 bytes, but a raw secp256k1 key has 32");
    expect(problemIn(raw.subarray(1), "ed25519")).toContain("contains 63 bytes, but a raw ed25519 key has 32 or 64");
    expect(problemIn(Buffer.concat([raw.subarray(0, 32), seed]), "ed25519")).toContain("public half does not belong");
    expect(problemIn(new Uint8Array(32), "secp256k1")).toContain("no private key");
  });
});

describe("a key that go-libp2p 0.48 wrote with MarshalPrivateKey", () => {
  test.each(GO_KEYS.filter(({ type }) => type !== "ECDSA"))(
    "of the type $type has the PeerID that Go derives",
    ({ peerId, type, protobuf }) => {
      for (const contents of [protobuf, Buffer.from(protobuf, "base64")]) {
        const key = keyIn(contents);
        expect([key.type, peerIdOfKey(key)]).toEqual([type, peerId]);
        expect(Buffer.from(exportedKey(key, "protobuf")).toString("base64")).toBe(protobuf);
        expect(peerIdOfKey(keyIn(exportedKey(key, "pem")))).toBe(peerId);
      }
    },
  );

  test.each(GO_KEYS.filter(({ type }) => type === "ECDSA"))("of the type $type is refused with the reason", ({ protobuf }) => {
    for (const contents of [protobuf, Buffer.from(protobuf, "base64")])
      expect(problemIn(contents)).toContain("an ECDSA key, which is unsupported");
  });
});

it("an ECDSA key is refused with the reason", async () => {
  const key = await generateKeyPair("ECDSA");
  for (const contents of [privateKeyToProtobuf(key), Buffer.from(privateKeyToProtobuf(key)).toString("base64")])
    expect(problemIn(contents)).toContain("an ECDSA key, which is unsupported");
});

it("no problem shows a part of the key", async () => {
  const key = await generateKeyPair("Ed25519");
  const protobuf = Buffer.from(privateKeyToProtobuf(key));
  for (const contents of [protobuf.subarray(1), protobuf.subarray(0, -1), Buffer.concat([protobuf, protobuf])])
    for (const type of [undefined, "ed25519", "secp256k1"] as const) {
      const found = privateKeyIn(contents, type);
      const text = found instanceof KeyProblem ? found.problem : "";
      expect(text).not.toContain(protobuf.toString("latin1").slice(10, 20));
      expect(text).not.toContain(protobuf.toString("base64").slice(10, 20));
    }
});
