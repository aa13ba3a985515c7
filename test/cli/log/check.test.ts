/** Output of check, backup and restore. The checks and the recovery themselves are tested in test/store. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { runBackup } from "../../../src/cli/log/backup.ts";
import { runCheck } from "../../../src/cli/log/check.ts";
import { runRestore } from "../../../src/cli/log/restore.ts";
import { loadOrCreateIdentity, peerIdOfKey } from "../../../src/identity/identity.ts";
import { archiveBefore } from "../../store/support/archiving.ts";
import { closed, observe } from "../../store/support/events.ts";
import { toldStory } from "../../store/support/story.ts";
import { type TemporaryStore, temporaryDirectory } from "../../store/support/temporary-store.ts";
import { LogWithKey } from "../../support/log-with-key.ts";
import { errorWith } from "../../support/matchers.ts";
import { PEER_A } from "../../support/peers.ts";
import { asCommandLine, output } from "../commands.ts";

let story: TemporaryStore;
let hash: string;
beforeEach(() => {
  story = toldStory();
  hash = story.store.head().chainHash;
});
afterEach(() => story[Symbol.dispose]());

async function checked(change: Partial<Parameters<typeof runCheck>[0]> = {}) {
  const out = output(true);
  const { print, terminal } = out;
  const required = { requireHead: false, requireArchives: false };
  const given = { head: undefined, published: undefined, archives: undefined, ...required };
  const options = { data: story.directory, ...given, json: false, print, terminal };
  const code = await runCheck({ ...options, ...change });
  return { code, text: out.printed.join("\n"), drawn: out.drawn };
}

const lines = (text: string) => text.split("\n");

describe("check", () => {
  it("reports the size of a sound database, and its head in the form that --head accepts", async () => {
    const { code, text, drawn } = await checked();
    const [sound, head, ...needs] = text.split("\n");
    expect([code, sound]).toEqual([0, `${story.path} is sound: 16 events, newest at 2026-01-01T12:01:53.604Z`]);
    expect([head, needs[0]]).toEqual([`head 16:${hash}`, "needs a witness:"]);
    expect(needs.join("\n")).toContain(
      "event_log: a program that can write the database and the head file could have recomputed the whole chain unnoticed; " +
        "compare it with the heads that the daemon published, with --nats, or give one with --head",
    );
    expect(drawn.join("")).toContain("checking the log");
    expect((await checked({ head: `16:${hash.slice(0, 8).toUpperCase()}` })).code).toBe(0);
    expect(JSON.parse((await checked({ json: true })).text)).toMatchObject({
      file: story.path,
      sound: true,
      events: 16,
      seq: 16,
      chainHash: hash,
      findings: [],
    });
  });

  it("names commands with the place flags of its command line, but not in --json", async () => {
    onTestFinished(asCommandLine("check", "--config", "c.json"));
    story.write("insert into ingest_cursor values (1, 'S', 'T', 2, 5, null, 'x')");
    const witness = (config: string) => `if it still holds them: run \`oc-partnerd resync${config}\`, which logs what is missing`;
    expect((await checked()).text).toContain(witness(" --config c.json"));
    expect((await checked({ json: true })).text).toContain(witness(""));
  });

  it("lists findings, one per line, with control characters escaped", async () => {
    story.write("drop trigger event_log_no_update; update event_log set effect = '\u001b[2J' where seq = 9");
    const { code, text } = await checked();
    expect(code).toBe(1);
    const lines = text.split("\n");
    expect(lines[0]).toMatch(/oc-partnerd\.db: \d+ findings$/);
    expect(lines).toContain("  trigger event_log_no_update: missing");
    expect(lines).toContain("  event_log row 9: chain_hash does not follow from its columns and row 8");
    expect(text).not.toContain("\u001b");
    const { findings } = JSON.parse((await checked({ json: true })).text) as { findings: unknown };
    expect(findings).toContainEqual({ place: "trigger event_log_no_update", problem: "missing" });
  });

  it.each([
    [
      "a file that is not a database",
      () => writeFileSync(story.path, "no database"),
      /^ {2}oc-partnerd\.db: cannot be read: file is not a database$/m,
    ],
    [
      "an empty file",
      () => writeFileSync(story.path, ""),
      /^ {2}event_log rows 1 to 16: gone: oc-partnerd\.head names seq 16, the log ends at seq 0$/m,
    ],
    ["a truncated file", () => writeFileSync(story.path, readFileSync(story.path).subarray(0, 9_000)), /cannot be/],
  ])("reports %s as a finding", async (_, damage, finding) => {
    story.store[Symbol.dispose]();
    damage();
    const { code, text } = await checked();
    expect(code).toBe(1);
    expect(text).toMatch(finding);
  });

  it("finds a confirmed row that does not replace the log, or is not in it, but not in a copy that ends before it", async () => {
    const published = { from: "HEADS", heads: [], server: null, findings: [], confirmed: [2, 99] };
    const { code, text } = await checked({ published });
    expect(code).toBe(1);
    expect(lines(text).slice(1, 3)).toEqual([
      "  event_log row 2: is a StreamOpened, not a LogRestored, LogRolledBack or CloneSeen; --restored takes the seq of one",
      "  event_log row 99: is not a LogRestored, LogRolledBack or CloneSeen: the log ends at seq 16; --restored takes the seq of one",
    ]);
    using elsewhere = temporaryDirectory();
    const { terminal } = output();
    const copy = join(elsewhere.path, "copy.db");
    await runBackup({ data: story.directory, to: copy, force: false, json: false, terminal });
    const ofCopy = await checked({ data: copy, published: { ...published, confirmed: [99] } });
    expect(ofCopy.code).toBe(0);
    expect(ofCopy.text).toContain("event_log row 99: named with --restored, but not in this copy; check the data directory");
    story.store[Symbol.dispose]();
    await runRestore({ data: story.directory, from: copy, fromJetStream: false, clock: story.clock, terminal });
    expect((await checked({ published: { ...published, confirmed: [17] } })).code).toBe(0);
  });

  it("rejects --archives that is not a directory", async () => {
    for (const archives of [join(story.directory, "none"), story.path])
      await expect(checked({ archives })).rejects.toThrow(errorWith("usage", /^--archives is ".*", expected a directory$/));
  });

  it("names every directory in which a missing archive file was looked for", async () => {
    using elsewhere = temporaryDirectory();
    const to = join(elsewhere.path, "written");
    await archiveBefore(story.directory, 5, { to });
    rmSync(to, { recursive: true });
    const [file, own] = ["oc-partnerd-events-1-4.jsonl.gz", join(story.directory, "archive")];
    const places = `${elsewhere.path}, ${to}, ${own}`;
    const { code, text } = await checked({ archives: elsewhere.path });
    expect([code, lines(text)]).toEqual([
      0,
      expect.arrayContaining([
        `archive of seq 1 to 4: not checked, because ${file} is in none of ${places}`,
        expect.stringContaining(
          `rows 1 to 4: only in ${file}, which is in none of ${places}; give its directory with --archives DIR`,
        ),
      ]) as string[],
    ]);
    const required = await checked({ archives: elsewhere.path, requireArchives: true });
    expect([required.code, required.text]).toEqual([1, expect.stringContaining(`${file}: missing: it is in none of ${places}`)]);
  });

  it.each(["16", "16:xyz", "16:abc", ":deadbeef"])("rejects the head %s", async (head) => {
    await expect(checked({ head })).rejects.toThrow(errorWith("usage", /--head is ".*", expected SEQ:HASH/));
  });
});

describe("backup and restore", () => {
  it("report what was kept, what was lost, and what to do next", async () => {
    using elsewhere = temporaryDirectory();
    const { terminal, drawn } = output(true);
    const to = join(elsewhere.path, "backup.db");
    const { directory: data, clock } = story;
    const key = join(data, "identity.key");
    expect(lines(await runBackup({ data, to, force: false, json: false, terminal }))).toEqual([
      expect.stringMatching(/backup\.db: 16 events, \d+\.\d KiB, sound$/),
      `head 16:${hash}`,
    ]);
    expect(JSON.parse(await runBackup({ data, to, force: true, json: true, terminal }))).toMatchObject({
      file: to,
      events: 16,
      seq: 16,
      chainHash: hash,
    });
    expect(drawn.join("")).toMatch(/copying pages.*checking the copy/s);
    observe(story.store, closed(PEER_A, { direction: "inbound" }));
    story.store[Symbol.dispose]();
    expect(lines(await runRestore({ data, from: to, fromJetStream: false, clock, terminal }))).toEqual([
      expect.stringMatching(/^restored .*backup\.db: 16 events, and appended a LogRestored: head 17:[0-9a-f]{64}$/),
      "removed from the log: seq 17 to 17, which are not in the backup",
      "of these, the daemon's own observations and messages from core NATS are lost for good",
      expect.stringMatching(/^damaged log kept as .*oc-partnerd\.db\.damaged-\d{8}T\d{6}Z, with its other files$/),
      `warning: the log names no PeerID, and there is no key at ${key}: the next start makes a new PeerID, which no partner knows`,
      "first: if you have the daemon's key, put it in place with `oc-partnerd identity import FILE`",
      "next: start the daemon; the log follows no stream yet, so the daemon reads the stream that it finds from the beginning",
      "checks: from now on add --restored 17, as in `oc-partnerd check --nats --restored 17`; without it, published heads after seq 16 are findings",
    ]);
    const peerId = peerIdOfKey(await loadOrCreateIdentity({ data }));
    story.write("drop trigger event_log_no_update; update event_log set message = 'x' where seq = 16");
    expect(lines(await runRestore({ data, from: undefined, fromJetStream: true, clock, terminal }))).toEqual([
      expect.stringMatching(/^kept 15 events that the hash chain proves, and appended a LogRestored: head 16:[0-9a-f]{64}$/),
      "removed from the log: seq 16 to 17: 0 messages from the stream, 0 from core NATS, 2 observed",
      "observations and core NATS messages are lost for good; stream messages will be read again if the stream still holds them",
      expect.stringMatching(/^damaged log kept as /),
      `identity: the log names no PeerID; the next start has that of ${key}, ${peerId}`,
      expect.stringMatching(/^next: /),
      expect.stringMatching(/^checks: .* --restored 16`; .* after seq 15 are findings$/),
    ]);
    rmSync(story.path);
    expect(lines(await runRestore({ data, from: undefined, fromJetStream: true, clock, terminal }))[0]).toMatch(
      /^nothing could be proven: the log starts again, empty, with a LogRestored: head 1:[0-9a-f]{64}$/,
    );
  });

  it("backup says that it is without the key of the log's PeerID, unless it has it", async () => {
    using log = await LogWithKey.create();
    const { terminal } = output();
    const { directory: data } = log.temporary;
    const to = join(data, "backup.db");
    const backup = async (more: object) =>
      lines(await runBackup({ data, to, force: true, json: false, terminal, ...more })).slice(2);
    const without = `without the key of ${log.first}, which a restored log needs to start`;
    expect(await backup({})).toEqual([`${without}: keep identity.key too, or add --with-identity`]);
    expect(await backup({ identityFile: "/run/secrets/own.key" })).toEqual([
      `${without}: keep "/run/secrets/own.key" too, or add --with-identity`,
    ]);
    expect(await backup({ withIdentity: true })).toEqual([expect.stringMatching(/the private key of .*; keep it secret/)]);
  });

  it("restore accepts exactly one source", async () => {
    const { terminal } = output();
    for (const [from, fromJetStream] of [
      [undefined, false],
      ["b.db", true],
    ] as const)
      await expect(runRestore({ data: story.directory, from, fromJetStream, clock: story.clock, terminal })).rejects.toThrow(
        errorWith("usage", /either --from FILE or --from-jetstream/),
      );
  });
});
