import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { identityInPlace, importIdentity, loadIdentity, loadOrCreateIdentity, peerIdOfKey } from "../../src/identity/identity.ts";
import { keyFileVerdict } from "../../src/identity/key-file.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A } from "../support/peers.ts";

let data: string;
let path: string;

beforeEach(() => {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  data = directory.path;
  path = join(data, "identity.key");
});

const store = (contents: string | Uint8Array, mode = 0o600) => {
  writeFileSync(path, contents);
  chmodSync(path, mode);
};
const modeOf = (file: string) => statSync(file).mode & 0o777;

describe("the daemon's identity", () => {
  it("is created on the first start, readable only by its owner, and no other file", async () => {
    const created = await loadOrCreateIdentity({ data });
    expect(created.type).toBe("Ed25519");
    expect(modeOf(path)).toBe(0o600);
    expect(readdirSync(data)).toEqual(["identity.key"]);
    expect((await loadOrCreateIdentity({ data })).equals(created)).toBe(true);
  });

  it("is readable only by its owner under any umask", async () => {
    const before = process.umask(0);
    try {
      await loadOrCreateIdentity({ data });
    } finally {
      process.umask(before);
    }
    expect(modeOf(path)).toBe(0o600);
  });

  it.each([0o604, 0o644, 0o610, 0o666, 0o670])("is refused if others can use it (mode %o), saying what to do", async (mode) => {
    await loadOrCreateIdentity({ data });
    chmodSync(path, mode);
    await expect(loadOrCreateIdentity({ data })).rejects.toMatchObject({
      code: "identity_unsafe",
      message: `${path} has mode 0${mode.toString(8)}: users other than its owner can read this key`,
      nextStep: `chmod 600 ${path}`,
    });
  });

  it("may be readable by the process's own group, as Kubernetes makes it by fsGroup", async () => {
    const created = await loadOrCreateIdentity({ data });
    chmodSync(path, 0o640);
    expect((await loadOrCreateIdentity({ data })).equals(created)).toBe(true);
    expect(modeOf(path)).toBe(0o640);
  });

  it("loses the access of the process's own group if that may write, as Kubernetes makes it on a writable volume", async () => {
    const created = await loadOrCreateIdentity({ data });
    chmodSync(path, 0o660);
    expect((await loadOrCreateIdentity({ data })).equals(created)).toBe(true);
    expect(modeOf(path)).toBe(0o600);
  });

  it.each([
    ["a FIFO", () => execFileSync("mkfifo", ["-m", "600", path]), "a FIFO, not a regular file"],
    ["a directory", () => mkdirSync(path), "a directory, not a regular file"],
    ["a link to nowhere", () => symlinkSync("/nowhere/identity.key", path), "ENOENT"],
    ["too large", () => store(Buffer.alloc(70_000)), "larger than 65536 bytes"],
  ])("is refused at once if it is %s, and stays as it is", async (_, make, problem) => {
    make();
    await expect(loadOrCreateIdentity({ data })).rejects.toThrow(
      errorWith("identity_invalid", new RegExp(`cannot read the identity "${path}": .*${problem}`)),
    );
    expect(readdirSync(data)).toEqual(["identity.key"]);
  });

  it.each([
    ["nothing", ""],
    ["some text", "hello"],
    ["a broken protobuf", Uint8Array.of(8, 1, 18, 64, 1, 2, 3)],
  ])("is refused if the file contains %s, which stays unchanged", async (_, contents) => {
    store(contents);
    await expect(loadOrCreateIdentity({ data })).rejects.toMatchObject({ code: "identity_invalid" });
    expect(readFileSync(path)).toEqual(Buffer.from(contents as Uint8Array));
  });

  it("cannot be created in a missing directory", async () => {
    await expect(loadOrCreateIdentity({ data: join(data, "missing") })).rejects.toMatchObject({ code: "data_dir_unwritable" });
  });

  it("is the same for two programs that create it at the same time", async () => {
    const [one, other] = await Promise.all([loadOrCreateIdentity({ data }), loadOrCreateIdentity({ data })]);
    expect(one.equals(other)).toBe(true);
  });
});

describe("an identity file", () => {
  it("is read through the links of a mounted secret, and leaves the data directory empty", async () => {
    const mount = join(data, "mount");
    mkdirSync(join(mount, "..2026"), { recursive: true });
    const key = await generateKeyPair("Ed25519");
    writeFileSync(join(mount, "..2026", "node.key"), privateKeyToProtobuf(key), { mode: 0o440 });
    symlinkSync("..2026", join(mount, "..data"));
    symlinkSync("..data/node.key", join(mount, "node.key"));
    const empty = join(data, "data");
    mkdirSync(empty);
    const place = { data: empty, identityFile: join(mount, "node.key") };
    expect((await loadOrCreateIdentity(place)).equals(key)).toBe(true);
    expect(loadIdentity(place)).toMatchObject({ path: place.identityFile });
    expect(readdirSync(empty)).toEqual([]);
  });

  it("must exist and is never created", async () => {
    const identityFile = join(data, "missing.key");
    await expect(loadOrCreateIdentity({ data, identityFile })).rejects.toThrow(
      errorWith("identity_invalid", new RegExp(`^no identity file at "${identityFile}"$`)),
    );
    expect(readdirSync(data)).toEqual([]);
  });

  it("is not shown if it may be the key, but the path in the data directory is", async () => {
    const token = "8Jd0fKq3ZtW5xRb1LmVn6YcH";
    await expect(loadOrCreateIdentity({ data, identityFile: token })).rejects.toMatchObject({
      message: "identityFile names no file: the value (24 characters; it may be the secret itself)",
      nextStep: expect.stringContaining("put the secret in a file") as string,
    });
    expect(() => loadIdentity({ data: `missing/${token}` })).toThrow(
      errorWith("identity_invalid", new RegExp(`^no identity file at "missing/${token}/identity.key"$`)),
    );
  });
});

describe("the verdict about a key file", () => {
  const user = { uid: 1_000, groups: new Set([1_000, 2_000]) };
  it.each([
    [0o600, 1_000, 1_000, "safe"],
    [0o400, 0, 0, "safe"],
    [0o440, 0, 2_000, "safe"],
    [0o640, 1_000, 2_000, "safe"],
    [0o660, 1_000, 2_000, "tighten"],
    [0o660, 0, 2_000, "unsafe"],
    [0o640, 1_000, 3_000, "unsafe"],
    [0o660, 1_000, 3_000, "unsafe"],
    [0o644, 1_000, 2_000, "unsafe"],
    [0o600, 1_001, 1_000, "unsafe"],
    [0o640, 1_001, 2_000, "unsafe"],
  ])("of mode %o, user %i and group %i is %s", (mode, uid, gid, kind) => {
    expect(keyFileVerdict({ mode: 0o100_000 | mode, uid, gid }, "/key", user).kind).toBe(kind);
  });

  it("of another user's file names both users", () => {
    expect(keyFileVerdict({ mode: 0o100_600, uid: 1_001, gid: 0 }, "/key", user)).toMatchObject({
      problem: expect.stringContaining("belongs to user 1001, and this process runs as user 1000") as string,
    });
  });

  it("lets root use the files of others", () => {
    expect(keyFileVerdict({ mode: 0o100_600, uid: 1_001, gid: 0 }, "/key", { uid: 0, groups: new Set([0]) }).kind).toBe("safe");
  });
});

describe("an import", () => {
  it("makes a key the identity, and does nothing the second time", async () => {
    const key = await generateKeyPair("secp256k1");
    const contents = privateKeyToProtobuf(key);
    expect(importIdentity({ contents, source: "node.key" }, data)).toMatchObject({ path, created: true });
    expect(modeOf(path)).toBe(0o600);
    expect((await loadOrCreateIdentity({ data })).equals(key)).toBe(true);
    expect(importIdentity({ contents, source: "node.key" }, data)).toMatchObject({ path, created: false });
  });

  it("never replaces another identity", async () => {
    const existing = await loadOrCreateIdentity({ data });
    const contents = privateKeyToProtobuf(await generateKeyPair("Ed25519"));
    expect(() => importIdentity({ contents, source: "node.key" }, data)).toThrow(
      errorWith("file_failed", new RegExp(`${path} holds another identity, 12D3KooW\\w+, and is not overwritten`)),
    );
    expect(loadIdentity({ data }).key.equals(existing)).toBe(true);
  });

  it("over another identity says which of the two keys partners know, by the log", async () => {
    const [inPlace, key] = [peerIdOfKey(await loadOrCreateIdentity({ data })), await generateKeyPair("Ed25519")];
    const nextStep = (logged?: PeerId) => {
      try {
        importIdentity({ contents: privateKeyToProtobuf(key), source: "node.key" }, data, logged);
      } catch (thrown) {
        return thrown instanceof PartnerdError ? thrown.nextStep : undefined;
      }
      return "imported";
    };
    const rename = `stop the daemon, rename that file to ${path}.${inPlace}, and import again`;
    const accept = "let the log belong to the new key with `oc-partnerd identity accept`";
    expect(nextStep(peerIdOfKey(key))).toBe(`${rename}; the log belongs to the key that you import, and the daemon then starts`);
    expect(nextStep(inPlace)).toBe(`${rename}; partners know us by the key in place, so keep it; afterwards ${accept}`);
    expect(nextStep(PEER_A)).toBe(`${rename}; the log belongs to ${PEER_A}; afterwards ${accept}`);
    expect(nextStep()).toBe(`${rename}; partners may know the key in place, so keep it`);
  });
});

describe("a log without its key", () => {
  it("is named, with the ways out, but no text that may be the key", () => {
    expect(() => identityInPlace({ data }, PEER_A)).toThrow(
      errorWith("identity_changed", new RegExp(`^the log belongs to ${PEER_A}, but there is no key at ${path}$`)),
    );
    const token = "8Jd0fKq3ZtW5xRb1LmVn6YcH";
    expect(() => identityInPlace({ data, identityFile: token }, PEER_A)).toThrow(
      errorWith("identity_invalid", /^identityFile names no file: the value \(24 characters/),
    );
  });
});
