import { expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { auditReport, endedReport, failureReport, keepReport, summaryReport } from "../../../src/demo/display/report.ts";
import { type Line, wrap } from "../../../src/demo/display/style.ts";

const text = (lines: readonly Line[]) => lines.map((line) => line.map((span) => span.text).join("")).join("\n");

test("the audit trail shows its SQL, and wraps long summaries with an indent", () => {
  const rows = [
    { seq: "1", at: "2026-01-01T00:00:00.000Z", summary: "outbound stream opened" },
    { seq: "12", at: "2026-01-01T00:00:09.000Z", summary: "refused: blacklisted (and 3 more)" },
  ];
  expect(text(auditReport("What lyon tells", "select 1", rows, 56))).toBe(
    [
      "",
      " What lyon tells",
      " select 1;",
      " SEQ  AT                        SUMMARY",
      " 1    2026-01-01T00:00:00.000Z  outbound stream opened",
      " 12   2026-01-01T00:00:09.000Z  refused: blacklisted",
      "                                (and 3 more)",
    ].join("\n"),
  );
});

test("text is wrapped at blanks, long words stay whole, and without a limit nothing is wrapped", () => {
  expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
  expect(wrap("a /ip4/127.0.0.1/tcp/1 b", 5)).toEqual(["a", "/ip4/127.0.0.1/tcp/1", "b"]);
  expect(wrap("one two three", Number.POSITIVE_INFINITY)).toEqual(["one two three"]);
});

test("the summary marks and counts the claims that hold", () => {
  const shown = text(
    summaryReport([
      { text: "the logs have no gaps", holds: true, figures: "20" },
      { text: "all streams", holds: false, figures: "5 of 6" },
    ]),
  );
  expect(shown).toContain(" ✓ the logs have no gaps  20\n ✗ all streams            5 of 6\n 1 of 2 claims hold");
});

test("a failure is shown with the next step", () => {
  const error = new PartnerdError("nats_server_missing", "no nats-server", { nextStep: "run scripts/bootstrap" });
  expect(text(failureReport(error))).toBe("\n no nats-server\n next step: run scripts/bootstrap");
  expect(text(failureReport(new PartnerdError("check_failed", "late")))).toBe("\n late");
});

test("nodes that keep running are listed with commands to try", () => {
  const participant = (name: "lyon" | "paris", port: number) => ({
    name,
    url: `http://127.0.0.1:${port}`,
    http: { host: "127.0.0.1", port },
    natsUrl: `nats://127.0.0.1:${port + 1}`,
    directory: `/tmp/demo/${name}`,
    pid: port + 2,
    identity: { peerId: `id-${name}` as PeerId, address: `/ip4/127.0.0.1/tcp/9/p2p/id-${name}` },
  });
  const shown = text(keepReport([participant("lyon", 20_000), participant("paris", 20_010)]));
  expect(shown).toContain("bin/oc-partnerd status --http 127.0.0.1:20000\n");
  expect(shown).toContain("bin/oc-partnerd peers id-paris --http 127.0.0.1:20000\n");
  expect(shown).toContain("publish /ip4/127.0.0.1/tcp/9/p2p/id-paris --name paris --nats nats://127.0.0.1:20001\n");
  expect(shown).toContain(" NODE    PID      API                     NATS                    DATA\n");
  expect(shown).toContain(" paris   20012    http://127.0.0.1:20010  nats://127.0.0.1:20011  /tmp/demo/paris\n");
  expect(shown).toContain("kill -9 20012\n");
  expect(shown).toContain("oc-partnerd export --data /tmp/demo/lyon | ");
});

test("the exit of a node is reported, with the command to restart it", () => {
  expect(text(endedReport({ name: "paris", configFile: "/tmp/demo/paris/partnerd.json" }, "SIGKILL"))).toBe(
    "\n The daemon of paris has exited: SIGKILL. Restart it with:\n bin/oc-partnerd run --config /tmp/demo/paris/partnerd.json",
  );
});
