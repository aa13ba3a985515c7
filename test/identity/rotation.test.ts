/** Rotating and accepting an identity: the decision about a waiting key, and a crash at each step. */
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { acceptIdentity, rotateIdentity } from "../../src/daemon/log/change-identity.ts";
import { importIdentity, loadIdentity, loadOrCreateIdentity, peerIdOfKey } from "../../src/identity/identity.ts";
import { settleRotation, waitingKeyVerdict, writeNextKey } from "../../src/identity/rotation.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { lockDirectory } from "../../src/store/sql/lock.ts";
import { findingsIn } from "../store/support/archiving.ts";
import { observe, opened, start } from "../store/support/events.ts";
import { TemporaryStore, temporaryDirectory } from "../store/support/temporary-store.ts";
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
let temporary: TemporaryStore;
let data: string;
let first: PeerId;

beforeEach(async () => {
  temporary = new TemporaryStore();
  data = temporary.directory;
  first = peerIdOfKey(await loadOrCreateIdentity({ data }));
  start(temporary.store, { peerId: first });
  temporary.store[Symbol.dispose]();
  disk.calls.length = 0;
  disk.failFrom = Number.POSITIVE_INFINITY;
  return () => {
    disk.failFrom = Number.POSITIVE_INFINITY;
    temporary[Symbol.dispose]();
  };
});

const logged = (): PeerId | undefined => {
  const peerId = temporary.reopen().identity();
  temporary.store[Symbol.dispose]();
  return peerId;
};
const path = (name: string) => join(data, name);
const keyFiles = () =>
  readdirSync(data)
    .filter((name) => name.startsWith("identity"))
    .toSorted();
const identityIn = (place: { data: string; identityFile?: string } = { data }) => peerIdOfKey(loadIdentity(place).key);
const changes = () => temporary.read("select reason, details from event_log where type = 'IdentityChanged' order by seq");

/** A new key in a directory of its own. */
async function otherKey(): Promise<{ readonly peerId: PeerId; readonly file: string }> {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const peerId = peerIdOfKey(await loadOrCreateIdentity({ data: directory.path }));
  return { peerId, file: join(directory.path, "identity.key") };
}

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
  it("makes a new key, keeps the old one with its PeerID, and appends a row with both", async () => {
    const old = readFileSync(path("identity.key"));
    const { outcome, peerId, from, kept } = await rotateIdentity({ data }, clock);
    expect({ outcome, from, kept }).toEqual({ outcome: "rotated", from: first, kept: path(`identity.key.${first}`) });
    expect(keyFiles()).toEqual(["identity.key", `identity.key.${first}`]);
    expect(readFileSync(path(`identity.key.${first}`))).toEqual(old);
    for (const name of keyFiles()) expect(statSync(path(name)).mode & 0o777).toBe(0o600);
    expect([identityIn(), logged()]).toEqual([peerId, peerId]);
    expect(changes()).toEqual([{ reason: "rotated", details: JSON.stringify({ from: first, to: peerId }) }]);
    expect(findingsIn(data)).toEqual([]);
  });

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

  it("can be repeated, and makes a new key for a log whose key is lost", async () => {
    const second = await rotateIdentity({ data }, clock);
    rmSync(path("identity.key"));
    const third = await rotateIdentity({ data }, clock);
    expect(third).toMatchObject({ from: second.peerId, kept: null });
    expect(keyFiles()).toEqual(["identity.key", `identity.key.${first}`]);
    expect([identityIn(), logged()]).toEqual([third.peerId, third.peerId]);
  });

  it("closes the streams that a crash left open before it, under the old identity", async () => {
    observe(temporary.reopen(), opened(PEER_A));
    temporary.store[Symbol.dispose]();
    await rotateIdentity({ data }, clock);
    expect(temporary.read("select type, reason from event_log where seq > 2 order by seq")).toEqual([
      { type: "StreamClosed", reason: "daemon_restart" },
      { type: "IdentityChanged", reason: "rotated" },
    ]);
  });

  it("is refused while a daemon holds the directory, and changes nothing", async () => {
    using _lock = lockDirectory(data);
    for (const change of [rotateIdentity, acceptIdentity])
      await expect(change({ data }, clock)).rejects.toThrow(errorWith("data_dir_in_use", /in use by another oc-partnerd/));
    expect([keyFiles(), changes()]).toEqual([["identity.key"], []]);
  });

  it("is refused if the key is elsewhere, the log has no PeerID, or there is no log", async () => {
    await expect(rotateIdentity({ data, identityFile: path("identity.key") }, clock)).rejects.toThrow(
      errorWith("usage", /^identityFile is set/),
    );
    using empty = new TemporaryStore();
    empty.store[Symbol.dispose]();
    await expect(rotateIdentity({ data: empty.directory }, clock)).rejects.toThrow(errorWith("usage", /no PeerID yet/));
    const missing = path("missing");
    await expect(rotateIdentity({ data: missing }, clock)).rejects.toThrow(errorWith("database_failed", /there is no database/));
    expect(existsSync(missing)).toBe(false);
  });

  it("never replaces a file in the place of the old key, and finishes once that is gone", async () => {
    const kept = path(`identity.key.${first}`);
    writeFileSync(kept, "something else", { mode: 0o600 });
    await expect(rotateIdentity({ data }, clock)).rejects.toMatchObject({ code: "identity_invalid" });
    expect(identityIn()).toBe(first);
    rmSync(kept);
    const finished = await rotateIdentity({ data }, clock);
    expect([finished.peerId, identityIn()]).toEqual([logged(), logged()]);
    expect(changes()).toHaveLength(1);
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
      const before = logged();
      const isWhole = await rotatesWithin(calls);
      const [place, peerId] = [{ data }, logged()];
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

  it("is finished by the next rotation, which makes no further key", async () => {
    const { peerId } = await rotateIdentity({ data }, clock);
    // As it was before the files were swapped.
    renameSync(path("identity.key"), path("identity.key.next"));
    renameSync(path(`identity.key.${first}`), path("identity.key"));
    expect(await rotateIdentity({ data }, clock)).toMatchObject({ outcome: "rotated", peerId, from: first });
    expect(keyFiles()).toEqual(["identity.key", `identity.key.${first}`]);
    expect(changes()).toHaveLength(1);
  });

  it("before the row is undone by the next rotation, which makes its own key", async () => {
    const { peerId } = await writeNextKey(data);
    const rotated = await rotateIdentity({ data }, clock);
    expect(rotated.peerId).not.toBe(peerId);
    expect(keyFiles()).toEqual(["identity.key", `identity.key.${first}`]);
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

describe("accepting an identity", () => {
  it("appends a row for the key now in place, once", async () => {
    const other = await otherKey();
    rmSync(path("identity.key"));
    importIdentity({ contents: readFileSync(other.file), source: other.file }, data);
    expect(await acceptIdentity({ data }, clock)).toMatchObject({ outcome: "accepted", peerId: other.peerId, from: first });
    expect(logged()).toBe(other.peerId);
    expect(await acceptIdentity({ data }, clock)).toMatchObject({ outcome: "unchanged", peerId: other.peerId });
    expect(changes()).toEqual([{ reason: "accepted", details: JSON.stringify({ from: first, to: other.peerId }) }]);
    expect(findingsIn(data)).toEqual([]);
  });

  it("takes the key of identityFile", async () => {
    const other = await otherKey();
    expect(await acceptIdentity({ data, identityFile: other.file }, clock)).toMatchObject({
      outcome: "accepted",
      path: other.file,
    });
    expect(logged()).toBe(other.peerId);
  });

  it("finishes an interrupted rotation first", async () => {
    const { peerId } = await rotateIdentity({ data }, clock);
    renameSync(path("identity.key"), path("identity.key.next"));
    renameSync(path(`identity.key.${first}`), path("identity.key"));
    expect(await acceptIdentity({ data }, clock)).toMatchObject({ outcome: "unchanged", peerId });
  });
});

describe("the refusal of another key", () => {
  const refusal = (place: { data: string; identityFile?: string }, of: PeerId) =>
    loadOrCreateIdentity(place, of).then(
      () => "",
      ({ code, message, nextStep }: { code: string; message: string; nextStep: string }) => `${code}: ${message}. ${nextStep}`,
    );

  it("names both PeerIDs, the file and three ways out", async () => {
    expect(await refusal({ data }, PEER_C)).toBe(
      `identity_changed: the log belongs to ${PEER_C}, but ${path("identity.key")} holds the key of ${first}; partners know us as ${PEER_C}. ` +
        `put the key of ${PEER_C} back as ${path("identity.key")}; or take over the key of ${first} with \`oc-partnerd identity accept\`; ` +
        "or make a new key with `oc-partnerd identity rotate`. Partners must be told a new PeerID",
    );
  });

  it("names the import if there is no key, and the file that was kept", async () => {
    renameSync(path("identity.key"), path(`identity.key.${first}`));
    const text = await refusal({ data }, first);
    expect(text).toContain(`there is no key at ${path("identity.key")}`);
    expect(text).toContain(
      `put the key of ${first}, from ${path(`identity.key.${first}`)}, back as ${path("identity.key")}; or import`,
    );
    expect(text).toContain("`oc-partnerd identity import FILE` and take it over with `oc-partnerd identity accept`");
    const missing = path("missing.key");
    expect(await refusal({ data, identityFile: missing }, first)).toMatch(
      /^identity_changed: .*put another key there and take it over.*unset identityFile, and make/,
    );
  });
});
