/** Rotating and accepting an identity: the files, the row, and what is refused. A crash at each step: test/identity/rotation.test.ts. */
import { chownSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { acceptIdentity, rotateIdentity } from "../../../src/daemon/log/change-identity.ts";
import { importIdentity, loadOrCreateIdentity, peerIdOfKey } from "../../../src/identity/identity.ts";
import { writeNextKey } from "../../../src/identity/rotation.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { lockDirectory } from "../../../src/store/sql/lock.ts";
import { findingsIn } from "../../store/support/archiving.ts";
import { append, desired, observe, opened } from "../../store/support/events.ts";
import { TemporaryStore, temporaryDirectory } from "../../store/support/temporary-store.ts";
import { identityIn, LogWithKey } from "../../support/log-with-key.ts";
import { errorWith } from "../../support/matchers.ts";
import { NEEDS_ROOT } from "../../support/needs-root.ts";
import { PEER_A } from "../../support/peers.ts";

const clock = new VirtualClock();
let log: LogWithKey;
let temporary: TemporaryStore;
let data: string;
let first: PeerId;

beforeEach(async () => {
  log = await LogWithKey.create();
  ({ temporary, first } = log);
  data = temporary.directory;
  return () => temporary[Symbol.dispose]();
});

const path = (name: string) => join(data, name);
const keyFiles = () =>
  readdirSync(data)
    .filter((name) => name.startsWith("identity"))
    .toSorted();
const changes = () => temporary.read("select reason, details from event_log where type = 'IdentityChanged' order by seq");

/** A new key in a directory of its own. */
async function otherKey(): Promise<{ readonly peerId: PeerId; readonly file: string }> {
  const directory = temporaryDirectory();
  onTestFinished(() => directory[Symbol.dispose]());
  const peerId = peerIdOfKey(await loadOrCreateIdentity({ data: directory.path }));
  return { peerId, file: join(directory.path, "identity.key") };
}

describe("a rotation", () => {
  it("makes a new key, keeps the old one with its PeerID, and appends a row with both", async () => {
    const old = readFileSync(path("identity.key"));
    const { outcome, peerId, from, kept } = await rotateIdentity({ data }, clock);
    // The database is closed.
    expect(existsSync(`${temporary.path}-wal`)).toBe(false);
    expect({ outcome, from, kept }).toEqual({ outcome: "rotated", from: first, kept: path(`identity.key.${first}`) });
    expect(keyFiles()).toEqual(["identity.key", `identity.key.${first}`]);
    expect(readFileSync(path(`identity.key.${first}`))).toEqual(old);
    for (const name of keyFiles()) expect(statSync(path(name)).mode & 0o777).toBe(0o600);
    expect([identityIn({ data }), log.logged()]).toEqual([peerId, peerId]);
    expect(changes()).toEqual([{ reason: "rotated", details: JSON.stringify({ from: first, to: peerId }) }]);
    expect(findingsIn(data)).toEqual([]);
  });

  it("is refused if the log contradicts itself, and changes nothing", async () => {
    append(temporary.reopen(), desired());
    temporary.store[Symbol.dispose]();
    temporary.write("update desired_peer set relation = 'FRIEND'");
    await expect(rotateIdentity({ data }, clock)).rejects.toThrow(errorWith("log_inconsistent", /desired_peer/));
    expect([keyFiles(), changes()]).toEqual([["identity.key"], []]);
  });

  it("can be repeated, and makes a new key for a log whose key is lost", async () => {
    const second = await rotateIdentity({ data }, clock);
    rmSync(path("identity.key"));
    const third = await rotateIdentity({ data }, clock);
    expect(third).toMatchObject({ from: second.peerId, kept: null });
    expect(keyFiles()).toEqual(["identity.key", `identity.key.${first}`]);
    expect([identityIn({ data }), log.logged()]).toEqual([third.peerId, third.peerId]);
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
    expect(identityIn({ data })).toBe(first);
    rmSync(kept);
    const finished = await rotateIdentity({ data }, clock);
    expect([finished.peerId, identityIn({ data })]).toEqual([log.logged(), log.logged()]);
    expect(changes()).toHaveLength(1);
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

  it("by root leaves keys that the daemon's user can read", NEEDS_ROOT, async ({ skip }) => {
    skip(process.getuid?.() !== 0, "needs root, to give the directory away");
    const [uid, gid] = [12_345, 12_346];
    chownSync(data, uid, gid);
    await rotateIdentity({ data }, clock);
    for (const name of keyFiles()) expect(statSync(path(name))).toMatchObject({ uid, gid });
  });
});

describe("accepting an identity", () => {
  it("appends a row for the key now in place, once", async () => {
    const other = await otherKey();
    rmSync(path("identity.key"));
    importIdentity({ contents: readFileSync(other.file), source: other.file }, data);
    expect(await acceptIdentity({ data }, clock)).toMatchObject({ outcome: "accepted", peerId: other.peerId, from: first });
    expect(log.logged()).toBe(other.peerId);
    expect(await acceptIdentity({ data }, clock)).toMatchObject({ outcome: "unchanged", peerId: other.peerId });
    expect(changes()).toEqual([{ reason: "accepted", details: JSON.stringify({ from: first, to: other.peerId }) }]);
    expect(findingsIn(data)).toEqual([]);
  });

  it("has nothing to do if the log belongs to no PeerID yet", async () => {
    using empty = new TemporaryStore();
    empty.store[Symbol.dispose]();
    const peerId = peerIdOfKey(await loadOrCreateIdentity({ data: empty.directory }));
    const expected = { outcome: "unchanged", peerId, from: null, kept: null };
    expect(await acceptIdentity({ data: empty.directory }, clock)).toMatchObject(expected);
    expect(empty.reopen().identity()).toBeUndefined();
  });

  it("takes the key of identityFile", async () => {
    const other = await otherKey();
    expect(await acceptIdentity({ data, identityFile: other.file }, clock)).toMatchObject({
      outcome: "accepted",
      path: other.file,
    });
    expect(log.logged()).toBe(other.peerId);
  });

  it("finishes an interrupted rotation first", async () => {
    const { peerId } = await rotateIdentity({ data }, clock);
    renameSync(path("identity.key"), path("identity.key.next"));
    renameSync(path(`identity.key.${first}`), path("identity.key"));
    expect(await acceptIdentity({ data }, clock)).toMatchObject({ outcome: "unchanged", peerId });
  });
});
