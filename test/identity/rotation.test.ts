/** Rotating an identity: the decision about a waiting key, the order of the steps, and a crash at each of them. */
import { chmodSync, existsSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { rotateIdentity } from "../../src/daemon/log/change-identity.ts";
import { loadOrCreateIdentity, peerIdOfKey } from "../../src/identity/identity.ts";
import { settleRotation, waitingKeyVerdict, writeNextKey } from "../../src/identity/rotation.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { findingsIn } from "../store/support/archiving.ts";
import type { TemporaryStore } from "../store/support/temporary-store.ts";
import { identityIn, LogWithKey } from "../support/log-with-key.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A, PEER_B, PEER_C } from "../support/peers.ts";

/** The calls that change files. From the call `failFrom` on, nothing more happens on the disk, as after a crash. */
const disk = vi.hoisted(() => ({ calls: [] as string[], failFrom: Number.POSITIVE_INFINITY }));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  const nameOf = (file: unknown) =>
    basename(typeof file === "number" ? fs.readlinkSync(`/proc/self/fd/${file}`) : String(file)).replace(`.${process.pid}.`, ".");
  const failing = <Args extends unknown[], Result>(name: string, call: (...args: Args) => Result) => {
    return (...args: Args): Result => {
      if (disk.calls.length >= disk.failFrom) throw new Error("the power is gone");
      disk.calls.push(`${name} ${nameOf(args[0])}${name === "rename" ? ` ${nameOf(args[1])}` : ""}`);
      return call(...args);
    };
  };
  return {
    ...fs,
    fsyncSync: failing("fsync", fs.fsyncSync),
    renameSync: failing("rename", fs.renameSync),
    linkSync: failing("link", fs.linkSync),
    writeSync: failing("write", fs.writeSync),
    rmSync: failing("rm", fs.rmSync),
  };
});

const clock = new VirtualClock();
let log: LogWithKey;
let temporary: TemporaryStore;
let data: string;
let first: PeerId;

beforeEach(async () => {
  log = await LogWithKey.create();
  ({ temporary, first } = log);
  data = temporary.directory;
  disk.calls.length = 0;
  disk.failFrom = Number.POSITIVE_INFINITY;
  return () => {
    disk.failFrom = Number.POSITIVE_INFINITY;
    temporary[Symbol.dispose]();
  };
});

const path = (name: string) => join(data, name);

describe("the verdict about a waiting key", () => {
  it.each([
    ["swap", { logged: PEER_B, current: PEER_A, next: PEER_B }],
    ["swap", { logged: PEER_B, current: undefined, next: PEER_B }],
    ["swap", { logged: PEER_B, current: PEER_B, next: PEER_B }],
    ["remove", { logged: PEER_A, current: PEER_A, next: PEER_B }],
    ["remove", { logged: PEER_A, current: PEER_A, next: undefined }],
    ["remove", { logged: undefined, current: PEER_A, next: PEER_B }],
    ["leave", { logged: PEER_C, current: PEER_A, next: PEER_B }],
    ["leave", { logged: PEER_A, current: undefined, next: PEER_B }],
    ["leave", { logged: PEER_B, current: PEER_A, next: undefined }],
  ] as const)("is %s for %j", (verdict, keys) => {
    expect(waitingKeyVerdict(keys)).toBe(verdict);
  });
});

describe("a rotation", () => {
  it("has each file on the disk before the next step", async () => {
    await rotateIdentity({ data }, clock);
    const kept = `identity.key.${first}`;
    const steps = disk.calls.filter((call) => /^(?:fsync|link|rename) |^write oc-partnerd\.head/.test(call));
    expect(steps.slice(steps.findIndex((call) => call.includes("identity")))).toEqual([
      "fsync identity.key.next.tmp",
      "link identity.key.next.tmp",
      `fsync ${basename(data)}`,
      // The head of the row, which SQLite has fsynced.
      "write oc-partnerd.head",
      `fsync ${kept}.tmp`,
      `link ${kept}.tmp`,
      `fsync ${basename(data)}`,
      "rename identity.key.next identity.key",
      `fsync ${basename(data)}`,
    ]);
  });
});

describe("a crash in a rotation", () => {
  /** Rotates until nothing more can be written after `calls` calls. True if it came to its end before. */
  async function rotatesWithin(calls: number): Promise<boolean> {
    disk.calls.length = 0;
    disk.failFrom = calls;
    try {
      await rotateIdentity({ data }, clock);
      return true;
    } catch (thrown) {
      expect(String(thrown)).toMatch(/the power is gone/);
      return false;
    } finally {
      disk.failFrom = Number.POSITIVE_INFINITY;
    }
  }

  it("at any call leaves a key in place, and the next start has the key that the log names", async () => {
    const seen = new Set<string>();
    for (let calls = 0; ; calls += 1) {
      const before = log.logged();
      const isWhole = await rotatesWithin(calls);
      const [place, peerId] = [{ data }, log.logged()];
      expect(existsSync(path("identity.key")), `${calls} calls`).toBe(true);
      const settled = settleRotation(place, peerId);
      seen.add(settled?.outcome ?? "nothing to do");
      expect(peerIdOfKey(await loadOrCreateIdentity(place, peerId)), `${calls} calls`).toBe(peerId);
      if (peerId !== before) expect(identityOf(path(`identity.key.${before}`))).toBe(before);
      expect(existsSync(path("identity.key.next"))).toBe(false);
      expect(settleRotation(place, peerId)).toBeUndefined();
      if (isWhole) break;
    }
    expect([...seen].toSorted()).toEqual(["finished", "nothing to do", "withdrawn"]);
    expect(findingsIn(data)).toEqual([]);
  });

  it("leaves the waiting key of a log that names neither", async () => {
    await writeNextKey(data);
    expect(settleRotation({ data }, PEER_C)).toBeUndefined();
    expect(settleRotation({ data, identityFile: path("identity.key") }, first)).toBeUndefined();
    expect(existsSync(path("identity.key.next"))).toBe(true);
  });

  it("does not use a waiting key that others can read", async () => {
    const { peerId } = await writeNextKey(data);
    chmodSync(path("identity.key.next"), 0o644);
    expect(() => settleRotation({ data }, peerId)).toThrow(errorWith("identity_unsafe", /identity\.key\.next has mode 0644/));
  });
});

const identityOf = (file: string) => identityIn({ data, identityFile: file });

describe("the refusal of another key", () => {
  const refusal = (place: { data: string; identityFile?: string }, of: PeerId) =>
    loadOrCreateIdentity(place, of).then(
      () => "",
      ({ code, message, nextStep }: { code: string; message: string; nextStep: string }) => `${code}: ${message}. ${nextStep}`,
    );

  it("names both PeerIDs, the file and three ways out", async () => {
    expect(await refusal({ data }, PEER_C)).toBe(
      `identity_changed: the log belongs to ${PEER_C}, but ${path("identity.key")} holds the key of ${first}. ` +
        `rename that file to ${path(`identity.key.${first}`)} and put the log's key back with \`oc-partnerd identity import FILE\`; ` +
        `or keep the key of ${first} and let the log belong to it with \`oc-partnerd identity accept\`; ` +
        "or make a new key with `oc-partnerd identity rotate`. Partners know the log's PeerID, and must be told a new one",
    );
  });

  it("says that an import puts the log's key back, and from which file", async () => {
    renameSync(path("identity.key"), path("moved.key"));
    const text = await refusal({ data }, first);
    expect(text).toBe(
      `identity_changed: the log belongs to ${first}, but there is no key at ${path("identity.key")}. ` +
        "put the log's key back with `oc-partnerd identity import FILE`; " +
        "or import another key the same way and let the log belong to it with `oc-partnerd identity accept`; " +
        "or make a new key with `oc-partnerd identity rotate`. Partners know the log's PeerID, and must be told a new one",
    );
    const kept = path(`identity.key.${first}`);
    renameSync(path("moved.key"), kept);
    expect(await refusal({ data }, first)).toContain(
      `put the log's key, which is in ${kept}, back with \`oc-partnerd identity import FILE\`; or`,
    );
    const missing = path("missing.key");
    expect(await refusal({ data, identityFile: missing }, first)).toMatch(
      /^identity_changed: .*put another key there and let the log .*unset identityFile and make a new key with `oc-partnerd identity rotate`/,
    );
  });
});
