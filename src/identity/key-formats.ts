/** The formats of a private key: libp2p's protobuf, PEM (PKCS#8) and raw bytes. Pure. */
import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { messageOf } from "../base/errors.ts";

/** The types that a raw key may have. The bytes do not tell which: both are 32 bytes. */
export const RAW_KEY_TYPES = ["ed25519", "secp256k1"] as const;
export type RawKeyType = (typeof RAW_KEY_TYPES)[number];

/** The formats that `exportedKey` writes. */
export const EXPORT_FORMATS = ["protobuf", "base64", "pem"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The reason why there is no usable key, as a predicate without any part of the key: `contains …`. */
export class KeyProblem {
  readonly problem: string;
  readonly nextStep: string;

  constructor(problem: string, nextStep: string) {
    this.problem = problem;
    this.nextStep = nextStep;
  }
}

/** libp2p's numbers. */
const TYPE_NUMBERS = { RSA: 0, ed25519: 1, secp256k1: 2 } as const;

const SEED_BYTES = 32;
const RAW_KEY_LENGTHS: ReadonlySet<number> = new Set([SEED_BYTES, 2 * SEED_BYTES]);
/** go-libp2p refuses smaller RSA keys. */
const LEAST_RSA_BITS = 2_048;

const SUPPORTED = "use an Ed25519, secp256k1 or RSA key, as PEM (PKCS#8) or in libp2p's protobuf form";

/**
 * The key in `contents`: PEM, or libp2p's protobuf, binary or as base64 (go-libp2p's MarshalPrivateKey). Pass `rawType` if the
 * contents are a raw key instead: a seed of 32 bytes or an Ed25519 key of 64, binary or as hex or base64.
 */
export function privateKeyIn(contents: Uint8Array, rawType?: RawKeyType): PrivateKey | KeyProblem {
  const text = Buffer.from(contents).toString("latin1").trim();
  try {
    if (rawType !== undefined) return fromRaw(rawBytes(contents, text), rawType);
    if (text.startsWith("-----BEGIN ")) return fromPem(text);
    const bytes = isBase64(text) ? Buffer.from(text, "base64") : contents;
    if (RAW_KEY_LENGTHS.has(bytes.length)) {
      return new KeyProblem(
        `contains a raw key of ${bytes.length} bytes, which does not tell its type`,
        "import it: `oc-partnerd identity import FILE --type ed25519` (or secp256k1)",
      );
    }
    return checked(privateKeyFromProtobuf(bytes));
  } catch (error) {
    return new KeyProblem(`contains no private key that libp2p can read: ${messageOf(error)}`, SUPPORTED);
  }
}

/** `key` in `format`: binary protobuf, the same as base64 text, or PKCS#8 PEM. */
export function exportedKey(key: PrivateKey, format: ExportFormat): Uint8Array {
  switch (format) {
    case "protobuf":
      return privateKeyToProtobuf(key);
    case "base64":
      return Buffer.from(`${Buffer.from(privateKeyToProtobuf(key)).toString("base64")}\n`);
    case "pem":
      return Buffer.from(nodeKeyOf(key).export({ format: "pem", type: "pkcs8" }));
  }
}

function fromPem(text: string): PrivateKey | KeyProblem {
  if (/ENCRYPTED/.test(text)) {
    return new KeyProblem("contains an encrypted PEM key", "decrypt it first: openssl pkey -in FILE -out DECRYPTED");
  }
  const key = createPrivateKey(text);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const secret = () => Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url");
  if (type === "ed25519") return fromRaw(secret(), "ed25519");
  if (type === "rsa") return checked(privateKeyFromProtobuf(protobufOf("RSA", key.export({ format: "der", type: "pkcs1" }))));
  if (type === "ec") return details?.namedCurve === "secp256k1" ? fromRaw(secret(), "secp256k1") : ecdsaProblem();
  return new KeyProblem(`contains a key of the type ${type}, which libp2p does not have`, SUPPORTED);
}

function fromRaw(bytes: Uint8Array, type: RawKeyType): PrivateKey | KeyProblem {
  const isWhole = type === "ed25519" && bytes.length === 2 * SEED_BYTES;
  if (bytes.length !== SEED_BYTES && !isWhole) {
    return new KeyProblem(
      `contains ${bytes.length} bytes, but a raw ${type} key has ${type === "ed25519" ? "32 or 64" : "32"}`,
      "leave out --type if the file is PEM or libp2p's protobuf",
    );
  }
  const data = type === "ed25519" && !isWhole ? Buffer.concat([bytes, ed25519PublicKey(bytes)]) : bytes;
  return checked(privateKeyFromProtobuf(protobufOf(type, data)));
}

/** `key`, unless other programs could not use it. */
function checked(key: PrivateKey): PrivateKey | KeyProblem {
  if (key.type === "ECDSA") return ecdsaProblem();
  if (key.type === "Ed25519" && !ed25519PublicKey(key.raw).equals(key.raw.subarray(SEED_BYTES)))
    return new KeyProblem("contains an Ed25519 key whose public half does not belong to its private half", SUPPORTED);
  const bits = key.type === "RSA" ? (nodeKeyOf(key).asymmetricKeyDetails?.modulusLength ?? 0) : LEAST_RSA_BITS;
  if (bits < LEAST_RSA_BITS)
    return new KeyProblem(
      `contains an RSA key of ${bits} bits, and other programs refuse less than ${LEAST_RSA_BITS}`,
      SUPPORTED,
    );
  return key;
}

function ecdsaProblem(): KeyProblem {
  return new KeyProblem(
    "contains an ECDSA key, which is unsupported: js-libp2p and go-libp2p encode its public key differently, so Go peers could not verify it",
    SUPPORTED,
  );
}

function rawBytes(contents: Uint8Array, text: string): Uint8Array {
  if (RAW_KEY_LENGTHS.has(contents.length)) return contents.length === 64 && isHex(text) ? Buffer.from(text, "hex") : contents;
  if (isHex(text)) return Buffer.from(text, "hex");
  return isBase64(text) ? Buffer.from(text, "base64") : contents;
}

const isHex = (text: string): boolean => /^(?:[\da-f]{64}){1,2}$/i.test(text);
const isBase64 = (text: string): boolean => /^[A-Za-z0-9+/\s]+={0,2}$/.test(text);

/** A message with the fields `Type` (1, a number) and `Data` (2, bytes). */
function protobufOf(type: keyof typeof TYPE_NUMBERS, data: Uint8Array): Uint8Array {
  const length: number[] = [];
  for (let left = data.length; ; left >>>= 7) {
    length.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Uint8Array.of(0x08, TYPE_NUMBERS[type], 0x12, ...length), data]);
}

/** PKCS#8 up to the seed. */
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function ed25519KeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed.subarray(0, SEED_BYTES)]), format: "der", type: "pkcs8" });
}

function ed25519PublicKey(seed: Uint8Array): Buffer {
  return Buffer.from(createPublicKey(ed25519KeyOf(seed)).export({ format: "jwk" }).x ?? "", "base64url");
}

function nodeKeyOf(key: PrivateKey): KeyObject {
  switch (key.type) {
    case "Ed25519":
      return ed25519KeyOf(key.raw);
    case "RSA":
      return createPrivateKey({ key: Buffer.from(key.raw), format: "der", type: "pkcs1" });
    case "secp256k1": {
      const pair = createECDH("secp256k1");
      pair.setPrivateKey(key.raw);
      const point = pair.getPublicKey();
      const [x, y] = [point.subarray(1, 33).toString("base64url"), point.subarray(33).toString("base64url")];
      const d = Buffer.from(key.raw).toString("base64url");
      return createPrivateKey({ key: { kty: "EC", crv: "secp256k1", x, y, d }, format: "jwk" });
    }
    case "ECDSA":
      throw new Error(ecdsaProblem().problem);
  }
}
