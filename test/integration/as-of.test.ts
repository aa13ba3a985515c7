/** `status` and `peers` with `--as-of`, and `reinterpret`, on the database of a daemon that is not running. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isoTime } from "../../src/base/units.ts";
import { openStore } from "../../src/store/store.ts";
import { archiveBefore } from "../store/support/archiving.ts";
import { toldStory } from "../store/support/story.ts";
import { PEER_A } from "../support/peers.ts";
import { runCommand } from "../support/run-command.ts";

/** The output of `peers --as-of --json`. */
interface Past {
  readonly asOf: { readonly seq: number; readonly at: string };
  readonly peers: readonly { readonly name: string; readonly standing: string; readonly outboundSince: string | null }[];
}

async function past(data: string, asOf: string): Promise<Past> {
  const { code, stdout, stderr } = await runCommand(["peers", "--as-of", asOf, "--data", data, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Past;
}

test("a row and the time of that row give the same past", async () => {
  using story = toldStory();
  const [row] = story.read("select at_ms from event_log where seq = 8");
  const [bySeq, byTime] = [await past(story.directory, "8"), await past(story.directory, isoTime(Number(row?.["at_ms"])))];
  expect(byTime).toEqual(bySeq);
  expect(bySeq.peers.map(({ name, standing, outboundSince }) => [name, standing, outboundSince !== null])).toEqual([
    ["lyon-1", "partner", true],
    ["oslo-1", "partner", false],
  ]);
});

test("status and a peer's page are of that moment, with the cause of each row", async () => {
  using story = toldStory();
  const status = await runCommand(["status", "--as-of", "11", "--data", story.directory]);
  expect(status.stdout).toMatch(/^as of seq 11 \(2026-01-01T12:01:50\.304Z\)/);
  expect(status.stdout).toMatch(/^\S+ +oslo-1 +PARTNER +down +- +1 min +desired, then timeout$/m);
  expect(status.stdout).toMatch(/^0 of 1 partners established$/m);
  const peer = await runCommand(["peers", PEER_A, "--as-of", "11", "--data", story.directory]);
  expect(peer.stdout).toMatch(/^by +oc-api \(claims user anna\)$/m);
  expect(peer.stdout).toMatch(/^11 +\S+ +9 +inbound stream closed after 108\.8 s: revoked$/m);
  expect(peer.stdout).not.toContain("refused");
});

test("what is out of reach is refused, with what to do", async () => {
  using story = toldStory();
  await archiveBefore(story.directory, 10, { wallMs: () => story.clock.wallMs() });
  const asked = (asOf: string) => runCommand(["peers", "--as-of", asOf, "--data", story.directory]);
  expect(await asked("5")).toMatchObject({
    code: 69,
    stderr: expect.stringMatching(/in the archive .*\n {2}next step: .*unarchive/) as string,
  });
  expect((await asked("9")).stdout).toMatch(/^as of seq 9 /);
  // After the last archived row and before the first that is left.
  expect((await asked("2026-01-01T12:01:50.302Z")).stdout).toMatch(/^as of seq 9 /);
  const refused = (message: RegExp) => ({ code: 64, stderr: expect.stringMatching(message) as string });
  expect(await asked("99")).toMatchObject(refused(/the log ends at seq 17, before seq 99\n {2}next step: .*seq 9 to 17/));
  expect(await asked("2020-01-01")).toMatchObject(refused(/the log begins after 2020-01-01T00:00:00\.000Z/));
  expect(await asked("2999-01-01")).toMatchObject(refused(/is in the future/));
  expect(await asked("soon")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("expected a seq of the log or a time") as string,
  });
});

test("reinterpret shows, appends and then finds nothing more", async () => {
  using story = toldStory();
  const config = join(story.directory, "partnerd.json");
  writeFileSync(
    config,
    JSON.stringify({ data: story.directory, events: { partnerRelations: ["ALLY"], relationNames: ["NONE"] } }),
  );
  // The story ends as a crash does: with a stream open.
  using crashed = new DisposableStack();
  const partner = crashed
    .use(openStore({ directory: story.directory, clock: story.clock }))
    .list()
    .find(({ standing }) => standing === "partner");
  crashed.dispose();
  const reinterpret = (...more: string[]) => runCommand(["reinterpret", "--config", config, ...more]);
  const shown = await reinterpret("--dry-run");
  expect(shown.stdout).toMatch(/dry run: nothing was changed$/m);
  const done = await reinterpret("--json");
  expect(done.code, done.stderr).toBe(0);
  const { changes, closedStreams, appended } = JSON.parse(done.stdout) as {
    changes: readonly object[];
    closedStreams: number;
    appended: readonly number[];
  };
  const closes = "select count(*) as count from event_log where reason = 'daemon_restart'";
  expect(story.read(closes)).toEqual([{ count: closedStreams }]);
  expect(appended[0]).toBe(18);
  expect(changes.length).toBeGreaterThanOrEqual(appended.length);
  // The stream ended before, by the event in force then.
  expect(story.read("select seq, type, reason, cause_seq from event_log where seq > 16 order by seq limit 2")).toMatchObject([
    { seq: 17, type: "StreamClosed", reason: "daemon_restart", cause_seq: partner?.generation },
    { seq: 18, type: "PeerRemoved", reason: null },
  ]);
  expect((await reinterpret("--dry-run")).stdout).toMatch(/nothing changes under the current vocabulary$/m);
  expect((await runCommand(["check", "--data", story.directory])).code).toBe(0);
});
