/** The daemon's identity: a private key in the data directory, created on the first start. */
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { messageOf, PartnerdError } from "../../base/errors.ts";

const OWNER_ONLY = 0o600;
const GROUP_AND_OTHERS = 0o077;
/** An Ed25519 seed without and with its public key. libp2p would take the former for a secp256k1 key. */
const RAW_KEY_LENGTHS: ReadonlySet<number> = new Set([32, 64]);

/**
 * The key in the file `path`; creates the file with an Ed25519 key if it is missing. Reads go-libp2p's format: the key's protobuf, raw
 * or as base64. Throws PartnerdError `identity_unsafe` if others may read the file, `identity_invalid` if it contains no key,
 * `data_dir_unwritable` if it cannot be created.
 */
export async function loadOrCreateIdentity(path: string): Promise<PrivateKey> {
  const mode = await modeOf(path);
  if (mode === undefined) return createIdentity(path);
  if ((mode & GROUP_AND_OTHERS) !== 0) {
    throw new PartnerdError("identity_unsafe", `${path} has mode ${octal(mode)}: users other than its owner can read this key`, {
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

/** Atomic, even if the power fails. */
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
      nextStep: `make ${dirname(path)} writable for this user, or choose another directory with --data`,
      cause: error,
    });
  }
  return privateKey;
}

function parsePrivateKey(contents: Uint8Array, path: string): PrivateKey {
  const bytes = fromBase64(contents) ?? contents;
  if (RAW_KEY_LENGTHS.has(bytes.length)) {
    throw new PartnerdError(
      "identity_invalid",
      `${path} contains a raw key of ${bytes.length} bytes, which does not tell its type`,
      {
        nextStep: "store it in libp2p's protobuf form, as go-libp2p's crypto.MarshalPrivateKey does",
      },
    );
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
    throw new PartnerdError("identity_invalid", `${path} contains no private key that libp2p can read: ${messageOf(error)}`, {
      nextStep:
        "restore it from a backup; without one, move it away, and the next start creates a new identity with a new PeerID",
      cause: error,
    });
  };

const octal = (mode: number): string => `0${mode.toString(8).padStart(3, "0")}`;
