import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, generateKeyPairFromSeed, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { KeyType } from "@libp2p/interface";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadOrCreateIdentity } from "../../../src/p2p/host/identity.ts";

describe("loadOrCreateIdentity", () => {
  let directory: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "identity-"));
    path = join(directory, "identity.key");
  });

  afterEach(() => rm(directory, { recursive: true }));

  const store = (contents: string | Uint8Array, mode = 0o600) => writeFile(path, contents, { mode });

  it("creates a key on the first start, readable only by its owner, and no other file", async () => {
    const created = await loadOrCreateIdentity(path);
    expect(created.type).toBe("Ed25519");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(["identity.key"]);
    expect((await loadOrCreateIdentity(path)).equals(created)).toBe(true);
  });

  it("makes it readable only by its owner under any umask", async () => {
    const before = process.umask(0);
    try {
      await loadOrCreateIdentity(path);
    } finally {
      process.umask(before);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it.each<KeyType>(["Ed25519", "secp256k1", "ECDSA"])("reads go's protobuf of an %s key, raw and as base64", async (type) => {
    const key = await generateKeyPair(type);
    const protobuf = privateKeyToProtobuf(key);
    await store(protobuf);
    expect((await loadOrCreateIdentity(path)).equals(key)).toBe(true);
    await store(`${Buffer.from(protobuf).toString("base64")}\n`);
    expect((await loadOrCreateIdentity(path)).equals(key)).toBe(true);
  });

  it.each([0o640, 0o604, 0o660, 0o666, 0o610])(
    "rejects a key that others can use (mode %o), and says what to do",
    async (mode) => {
      await loadOrCreateIdentity(path);
      await chmod(path, mode);
      const octal = `0${mode.toString(8)}`;
      await expect(loadOrCreateIdentity(path)).rejects.toMatchObject({
        code: "identity_unsafe",
        message: `${path} has mode ${octal}: users other than its owner can read this key`,
        nextStep: `chmod 600 ${path}`,
      });
    },
  );

  it("rejects a raw seed, which could be mistaken for a key of another type", async () => {
    const seed = new Uint8Array(32).fill(7);
    for (const raw of [seed, (await generateKeyPairFromSeed("Ed25519", seed)).raw]) {
      for (const contents of [raw, Buffer.from(raw).toString("base64")]) {
        await store(contents);
        await expect(loadOrCreateIdentity(path)).rejects.toMatchObject({
          code: "identity_invalid",
          message: `${path} contains a raw key of ${raw.length} bytes, which does not tell its type`,
        });
      }
    }
  });

  it.each([
    ["nothing", ""],
    ["PEM", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"],
    ["some text", "hello"],
    ["a broken protobuf", Uint8Array.of(8, 1, 18, 64, 1, 2, 3)],
  ])("rejects a file with %s and leaves it unchanged", async (_, contents) => {
    await store(contents);
    await expect(loadOrCreateIdentity(path)).rejects.toMatchObject({ code: "identity_invalid" });
    expect(await readFile(path)).toEqual(Buffer.from(contents as Uint8Array));
  });

  it("rejects a path that is not a file", async () => {
    await expect(loadOrCreateIdentity(directory)).rejects.toMatchObject({ code: expect.stringMatching(/^identity_/) as string });
  });

  it("names a missing directory", async () => {
    await expect(loadOrCreateIdentity(join(directory, "missing", "identity.key"))).rejects.toMatchObject({
      code: "data_dir_unwritable",
    });
  });
});
