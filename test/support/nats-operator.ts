/** Decentralised NATS authentication, as `nsc` sets it up: an operator, an account, and users whose credentials expire. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** First bytes of the encoded keys, from nkeys: they become the letters O, A, U and, for a seed, S. */
const PREFIX = { operator: 14 << 3, account: 0, user: 20 << 3, seed: 18 << 3 } as const;
type Role = "operator" | "account" | "user";

const DER_SEED_BYTES = 32;

interface Pair {
  readonly publicKey: string;
  readonly seed: string;
  readonly privateKey: KeyObject;
}

export class NatsOperator {
  readonly #operator = pair("operator");
  readonly #account = pair("account");

  /** Lines of a server's configuration that trust this operator and its account. */
  get config(): string {
    const operator = jwt(this.#operator, this.#operator.publicKey, { type: "operator" });
    const account = jwt(this.#operator, this.#account.publicKey, { type: "account", limits: NO_LIMITS });
    return `operator: "${operator}"\nresolver: MEMORY\nresolver_preload: { ${this.#account.publicKey}: "${account}" }`;
  }

  /** The contents of a `.creds` file of a new user. `expiresAtS`: seconds since the epoch. */
  creds(expiresAtS: number): string {
    const user = pair("user");
    const token = jwt(this.#account, user.publicKey, { type: "user", subs: -1, data: -1, payload: -1 }, expiresAtS);
    return `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${user.seed}\n------END USER NKEY SEED------\n`;
  }
}

const NO_LIMITS = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };

function pair(role: Role): Pair {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const secret = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-DER_SEED_BYTES);
  const open = publicKey.export({ format: "der", type: "spki" }).subarray(-DER_SEED_BYTES);
  const kind = PREFIX[role];
  return {
    privateKey,
    publicKey: encoded(Buffer.from([kind]), open),
    seed: encoded(Buffer.from([PREFIX.seed | (kind >> 5), (kind & 31) << 3]), secret),
  };
}

function jwt(issuer: Pair, subject: string, nats: object, exp?: number): string {
  const claims = { iat: 1_700_000_000, iss: issuer.publicKey, name: "test", sub: subject, nats: { ...nats, version: 2 }, exp };
  const jti = base32(createHash("sha256").update(JSON.stringify(claims)).digest());
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part({ ...claims, jti })}`;
  return `${body}.${sign(null, Buffer.from(body), issuer.privateKey).toString("base64url")}`;
}

/** Prefix, key and checksum (CRC-16/XMODEM, low byte first) in base32. */
function encoded(prefix: Buffer, key: Buffer): string {
  const bytes = Buffer.concat([prefix, key]);
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return base32(Buffer.concat([bytes, Buffer.from([crc & 0xff, crc >> 8])]));
}

function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? [])
    .map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[parseInt(five.padEnd(5, "0"), 2)])
    .join("");
}
