/** The key beside a backup: written by choice, and put back only if it is the log's. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { loadOrCreateIdentity, peerIdOfKey } from "../../src/identity/identity.ts";
import { keyBackup, keySources, restoreKey } from "../../src/identity/key-backup.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A } from "../support/peers.ts";

let data: string;
let host: string;
let to: string;
let peerId: PeerId;

function directory(): string {
  const made = temporaryDirectory();
  onTestFinished(() => made[Symbol.dispose]());
  return made.path;
}

beforeEach(async () => {
  [data, host] = [directory(), directory()];
  to = join(directory(), "backup.db");
  peerId = peerIdOfKey(await loadOrCreateIdentity({ data }));
});

describe("the key beside a backup", () => {
  it("is a file of its own, readable only by its owner", () => {
    const key = keyBackup({ data }, peerId, to, false);
    expect(key).toMatchObject({ peerId, file: `${to}.identity.key` });
    key.write();
    expect(readFileSync(key.file)).toEqual(readFileSync(join(data, "identity.key")));
    expect(statSync(key.file).mode & 0o777).toBe(0o600);
  });

  it("replaces another file only by choice", () => {
    const file = `${to}.identity.key`;
    const early = keyBackup({ data }, peerId, to, false);
    writeFileSync(file, "another", { mode: 0o644 });
    const exists = errorWith("file_failed", /\.identity\.key already exists and will not be overwritten/);
    expect(() => keyBackup({ data }, peerId, to, false)).toThrow(exists);
    expect(() => early.write()).toThrow(exists);
    expect(readFileSync(file, "utf8")).toBe("another");
    keyBackup({ data }, peerId, to, true).write();
    expect(readFileSync(file)).toEqual(readFileSync(join(data, "identity.key")));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("does not take the place of a directory", () => {
    mkdirSync(`${to}.identity.key`);
    for (const force of [false, true])
      expect(() => keyBackup({ data }, peerId, to, force)).toThrow(errorWith("file_failed", /\.identity\.key is a directory/));
  });

  it("is never the key of another PeerID than the log's", () => {
    expect(() => keyBackup({ data }, PEER_A, to, false)).toThrow(
      errorWith("identity_changed", new RegExp(`belongs to ${PEER_A}`)),
    );
    rmSync(join(data, "identity.key"));
    expect(() => keyBackup({ data }, peerId, to, false)).toThrow(errorWith("identity_changed", /there is no key/));
  });
});

describe("a restored log", () => {
  const path = () => join(host, "identity.key");
  const sources = () => keySources(to, to);

  beforeEach(() => keyBackup({ data }, peerId, to, false).write());

  it("gets its key back, and keeps it", () => {
    expect(restoreKey({ data: host }, peerId, sources())).toEqual({
      kind: "put_back",
      path: path(),
      source: `${to}.identity.key`,
    });
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(readFileSync(path())).toEqual(readFileSync(join(data, "identity.key")));
    expect(restoreKey({ data: host }, peerId, [])).toEqual({ kind: "in_place", path: path() });
  });

  it("gets it from a data directory that was named as the backup", () => {
    const found = keySources(data, join(data, "oc-partnerd.db"));
    expect(restoreKey({ data: host }, peerId, found)).toMatchObject({ kind: "put_back", source: join(data, "identity.key") });
  });

  it("does not get the key of another PeerID, and the error names the log's and the place of its key", () => {
    expect(restoreKey({ data: host }, PEER_A, sources())).toMatchObject({
      kind: "refused",
      error: {
        code: "identity_changed",
        message: expect.stringContaining(`the log belongs to ${PEER_A}, but there is no key at ${path()}`) as string,
        nextStep: expect.stringContaining("put the log's key back with `oc-partnerd identity import FILE`") as string,
      },
    });
    expect(() => statSync(path())).toThrow("ENOENT");
  });

  it("says which key is beside the backup if it is not the log's", async () => {
    const other = peerIdOfKey(await loadOrCreateIdentity({ data: directory() }));
    const wrong = directory();
    keyBackup({ data }, peerId, join(wrong, "backup.db"), false).write();
    expect(restoreKey({ data: host }, other, keySources(wrong, join(wrong, "backup.db")))).toMatchObject({
      kind: "refused",
      error: {
        code: "identity_changed",
        message: expect.stringMatching(
          `there is no key at ${path()}.*; ${wrong}/backup.db.identity.key holds the key of ${peerId} instead$`,
        ) as string,
      },
    });
  });

  it("that has its key in place needs none from the backup, usable or not", () => {
    expect(restoreKey({ data: host }, peerId, sources())).toMatchObject({ kind: "put_back" });
    writeFileSync(`${to}.identity.key`, "not a key", { mode: 0o600 });
    expect(restoreKey({ data: host }, peerId, sources())).toEqual({ kind: "in_place", path: path() });
  });

  it("never replaces a key that is there, and names the file with the right one", async () => {
    const other = peerIdOfKey(await loadOrCreateIdentity({ data: host }));
    expect(restoreKey({ data: host }, peerId, sources())).toMatchObject({
      kind: "refused",
      error: {
        message: expect.stringContaining(`${path()} holds the key of ${other}`) as string,
        nextStep: expect.stringContaining(`put the log's key, which is in ${to}.identity.key, back with`) as string,
      },
    });
  });

  it("leaves a file that identityFile names to the operator", () => {
    const identityFile = join(host, "mounted.key");
    expect(restoreKey({ data: host, identityFile }, peerId, sources())).toMatchObject({
      kind: "refused",
      error: { nextStep: expect.stringContaining(`back as ${identityFile}`) as string },
    });
    expect(() => statSync(path())).toThrow("ENOENT");
  });

  it("gets no key that others can read, and says so", () => {
    rmSync(`${to}.identity.key`);
    writeFileSync(`${to}.identity.key`, readFileSync(join(data, "identity.key")), { mode: 0o644 });
    expect(restoreKey({ data: host }, peerId, sources())).toMatchObject({ kind: "refused", error: { code: "identity_unsafe" } });
  });
});
