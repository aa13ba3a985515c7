/** Who this daemon is: one private key in the data directory, made on the first start and guarded ever after. */
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { messageOf, PartnerdError } from "../../base/errors.ts";

const OWNER_ONLY = 0o600;
const GROUP_AND_OTHERS = 0o077;
/** An Ed25519 seed, and the same with its public key: libp2p takes the former for a secp256k1 key. */
const RAW_KEY_LENGTHS: ReadonlySet<number> = new Set([32, 64]);

/**
 * The key in the file `path`; an Ed25519 key is created there where there is none. Reads what go-libp2p writes: the key's
 * protobuf, raw or as base64. Throws PartnerdError `identity_unsafe` if others may read the file, `identity_invalid` if it
 * holds no key, `data_dir_unwritable` if it cannot be created.
 */
export async function loadOrCreateIdentity(path: string): Promise<PrivateKey> {
  const mode = await modeOf(path);
  if (mode === undefined) return createIdentity(path);
  if ((mode & GROUP_AND_OTHERS) !== 0) {
    throw new PartnerdError("identity_unsafe", `${path} has mode ${octal(mode)}: others than its owner may use this key`, {
      nextStep: `chmod 600 ${path}`,
    });
  }
  return parsePrivateKey(await readFile(path).catch(invalid(path)), path);
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    const { mode } = await stat(path);
    return mode & 0o777;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return invalid(path)(error);
  }
}

/** Complete or not there at all, also after a power cut. */
async function createIdentity(path: string): Promise<PrivateKey> {
  const privateKey = await generateKeyPair("Ed25519");
  const temporaryPath = `${path}.${process.pid}.tmp`;
  try {
    await rm(temporaryPath, { force: true });
    await using file = await open(temporaryPath, "wx", OWNER_ONLY);
    await file.writeFile(privateKeyToProtobuf(privateKey));
    await file.sync();
    await rename(temporaryPath, path);
    await using directory = await open(dirname(path), "r");
    await directory.sync();
  } catch (error) {
    await rm(temporaryPath, { force: true }).catch(() => {});
    throw new PartnerdError("data_dir_unwritable", `cannot create the identity ${path}: ${messageOf(error)}`, {
      nextStep: `make ${dirname(path)} a directory that this user can write, or choose another with --data`,
      cause: error,
    });
  }
  return privateKey;
}

function parsePrivateKey(contents: Uint8Array, path: string): PrivateKey {
  const bytes = fromBase64(contents) ?? contents;
  if (RAW_KEY_LENGTHS.has(bytes.length)) {
    throw new PartnerdError("identity_invalid", `${path} holds a raw key of ${bytes.length} bytes, which does not say its type`, {
      nextStep: "store it in libp2p's protobuf form, as go-libp2p's crypto.MarshalPrivateKey does",
    });
  }
  try {
    return privateKeyFromProtobuf(bytes);
  } catch (error) {
    return invalid(path)(error);
  }
}

const BASE64_TEXT = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;

function fromBase64(contents: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(contents).toString("latin1");
  return BASE64_TEXT.test(text) ? Buffer.from(text, "base64") : undefined;
}

const invalid =
  (path: string) =>
  (error: unknown): never => {
    throw new PartnerdError("identity_invalid", `${path} holds no private key that libp2p can read: ${messageOf(error)}`, {
      nextStep:
        "restore it from a backup; without one, move it away, and a new identity with a new PeerID is made at the next start",
      cause: error,
    });
  };

const octal = (mode: number): string => `0${mode.toString(8).padStart(3, "0")}`;
