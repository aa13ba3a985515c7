/** What the commands that look after a database print; the checks and the recovery themselves are tested in test/store. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runBackup } from "../../../src/cli/log/backup.ts";
import { runCheck } from "../../../src/cli/log/check.ts";
import { runRestore } from "../../../src/cli/log/restore.ts";
import { closed, observe } from "../../store/support/events.ts";
import { toldStory } from "../../store/support/story.ts";
import { type TemporaryStore, temporaryDirectory } from "../../store/support/temporary-store.ts";
import { errorWith } from "../../support/matchers.ts";
import { PEER_A } from "../../support/peers.ts";
import { output } from "../commands.ts";

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
  const options = { data: story.directory, head: undefined, archives: undefined, json: false, print, terminal };
  const code = await runCheck({ ...options, ...change });
  return { code, text: out.printed.join("\n"), drawn: out.drawn };
}

describe("check", () => {
  it("says of a sound database how much it holds, and its head as --head takes it", async () => {
    const { code, text, drawn } = await checked();
    expect([code, text]).toEqual([
      0,
      `${story.path} is sound: 16 events, the newest of 2026-01-01T12:01:53.604Z\nhead 16:${hash}`,
    ]);
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

  it("names the findings, one line each, and what is in them cannot move the cursor", async () => {
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
      "a file that is no database",
      () => writeFileSync(story.path, "no database"),
      /^ {2}oc-partnerd\.db: cannot be read: file is not a database$/m,
    ],
    [
      "a file that is empty",
      () => writeFileSync(story.path, ""),
      /^ {2}event_log rows 1 to 16: gone: oc-partnerd\.head names seq 16, the log ends at seq 0$/m,
    ],
    ["a file that was cut", () => writeFileSync(story.path, readFileSync(story.path).subarray(0, 9_000)), /cannot be/],
  ])("has %s as its finding", async (_, damage, finding) => {
    story.store[Symbol.dispose]();
    damage();
    const { code, text } = await checked();
    expect(code).toBe(1);
    expect(text).toMatch(finding);
  });

  it.each(["16", "16:xyz", "16:abc", ":deadbeef"])("takes no head such as %s", async (head) => {
    await expect(checked({ head })).rejects.toThrow(errorWith("usage", /--head is ".*", expected SEQ:HASH/));
  });
});

const lines = (text: string) => text.split("\n");

describe("backup and restore", () => {
  it("say what was kept, what is gone, and what comes next", async () => {
    using elsewhere = temporaryDirectory();
    const { terminal, drawn } = output(true);
    const to = join(elsewhere.path, "backup.db");
    const { directory: data, clock } = story;
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
      `restored ${to}: 16 events, head 16:${hash}`,
      "gone from the log: seq 17 to 17, which the backup does not have",
      "lost for good of it: what the daemon had observed itself, and what came by core NATS",
      expect.stringMatching(/^set aside: .*oc-partnerd\.db\.damaged-\d{8}T\d{6}Z, with what belongs to it$/),
      "next: start the daemon; the log follows no stream yet, and the daemon takes one that it finds from its beginning",
    ]);
    story.write("drop trigger event_log_no_update; update event_log set message = 'x' where seq = 16");
    expect(lines(await runRestore({ data, from: undefined, fromJetStream: true, clock, terminal }))).toEqual([
      expect.stringMatching(/^kept 15 events that the chain proves, head 15:[0-9a-f]{64}$/),
      "gone from the log: seq 16 to 16: 0 messages of the stream, 0 by core NATS, 1 observed",
      "lost for good of it: what was observed and what came by core NATS; messages of the stream come again if it still holds them",
      expect.stringMatching(/^set aside: /),
      expect.stringMatching(/^next: /),
    ]);
    rmSync(story.path);
    expect(lines(await runRestore({ data, from: undefined, fromJetStream: true, clock, terminal }))[0]).toBe(
      `nothing could be proved: the log begins anew, empty, head 0:${"0".repeat(64)}`,
    );
  });

  it("restore takes one source", async () => {
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
