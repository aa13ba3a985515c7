/**
 * test/fixtures/sequence/: a fixture for each branch of the CREATE_RESOURCE sequence, with its expectations and a golden trace.
 * `npx vitest run --project unit test/sim/sequence -u` rewrites the traces.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatFixture, parseFixture } from "../../src/fixture/format/parse.ts";
import { simulate } from "../../src/sim/simulate.ts";

const FOLDER = join(import.meta.dirname, "../fixtures/sequence");
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".jsonl"))
  .map((name) => name.slice(0, -".jsonl".length));

const traces = new Map<string, readonly string[]>();

describe.each(names)("%s", (name) => {
  const text = readFileSync(join(FOLDER, `${name}.jsonl`), "utf8");
  const fixture = parseFixture(text, name);

  test("gives the expected decisions", async () => {
    const { violations, trace } = await simulate(fixture);
    traces.set(name, trace);
    expect(violations).toEqual([]);
    await expect(`${trace.join("\n")}\n`).toMatchFileSnapshot(join(FOLDER, `${name}.trace`));
  });

  test("is formatted as the program would write it, except for its header's note", () => {
    expect(parseFixture(formatFixture(fixture), name)).toEqual(fixture);
  });
});

test("a fixture of an older version, which expects dial_failed for each failure without an answer, still matches", async () => {
  const text = readFileSync(join(FOLDER, "partner-that-is-down.jsonl"), "utf8");
  const older = (reason: string) => simulate(parseFixture(text.replace("connection_refused", reason), "older"));
  expect((await older("dial_failed")).violations).toEqual([]);
  expect((await older("timeout")).violations).toMatchObject([{ invariant: "expected-log" }]);
});

/** Every branch of the CREATE_RESOURCE sequence, and every outcome of its steps, as text of a trace. */
const BRANCHES = [
  "DaemonStarted first_start",
  "DaemonStarted unclean",
  "DaemonStarted clean",
  "DaemonStopped",
  "EventRejected not_json",
  "EventRejected payload_not_json",
  "EventRejected address_invalid",
  "EventRejected address_missing",
  "PeerDesired PARTNER (changed)",
  "PeerDesired PARTNER (unchanged)",
  "PeerDesired NONE (changed)",
  "PeerDesired BLACKLIST (changed)",
  "PeerRemoved (changed)",
  "open: relation is PARTNER",
  "close: relation is NONE",
  "close: relation is SUPERSEDED",
  "StreamOpened outbound",
  "StreamOpened inbound",
  "StreamClosed outbound revoked",
  "StreamClosed inbound revoked",
  "StreamClosed outbound expired",
  "StreamClosed inbound expired",
  "StreamClosed outbound remote_closed",
  "StreamClosed outbound reset",
  "StreamClosed outbound connection_lost",
  "StreamClosed outbound shutdown",
  "StreamClosed outbound daemon_restart",
  "OpenFailed connection_refused",
  "OpenFailed timeout",
  "OpenFailed refused",
  "OpenFailed identity_mismatch",
  "OpenFailed protocol_unsupported",
  "OpenFailed address_unsupported",
  "gave up: address_unsupported",
  "InboundRefused not_partner",
  "InboundRefused blacklisted",
];

test("every branch of the sequence occurs in a trace", () => {
  const all = [...traces.values()].flat().join("\n");
  expect(BRANCHES.filter((branch) => !all.includes(branch))).toEqual([]);
});
