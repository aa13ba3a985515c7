/** How `resync` waits: it explains a wait, and gives up with a next step. */
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { runResync } from "../../../src/cli/daemon/resync.ts";
import type { ProgressStream } from "../../../src/cli/terminal/progress.ts";
import type { DaemonClient } from "../../../src/http/client.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import type { Check, DeliveryView } from "../../../src/views/api.ts";
import { FIXED_DELIVERY } from "../../support/fixed-views.ts";
import { asCommandLine } from "../commands.ts";

const STREAM = { name: "S", created: "2026-01-01T00:00:00Z", firstSequence: 1, sequence: 9 };
const IDLE: DeliveryView = { ...FIXED_DELIVERY, stream: STREAM, headSeq: 3, proven: "all proven" };
const DOWN: Check = { name: "nats", ok: false, message: "reconnecting since noon: connect ECONNREFUSED" };

const daemon: { delivery: DeliveryView; checks: readonly Check[] } = { delivery: IDLE, checks: [] };
const written: string[] = [];
const output: ProgressStream = { write: (text: string) => written.push(text) > 0 };
const reread = (sequence: number | null) => {
  daemon.delivery = { ...IDLE, rereading: sequence === null ? null : { sequence, untilSequence: 9 } };
};

beforeEach(() => {
  Object.assign(daemon, { delivery: IDLE, checks: [] });
  written.length = 0;
});

const client = {
  delivery: () => Promise.resolve(daemon.delivery),
  resync: () => Promise.resolve(reread(0)),
  readiness: () => Promise.resolve({ status: "failing", checks: daemon.checks }),
} as unknown as DaemonClient;

function start(clock: VirtualClock): { readonly result: Promise<string | PartnerdError>; readonly isOver: () => boolean } {
  let over = false;
  const result = runResync(client, clock, output).catch((error: unknown) => error as PartnerdError);
  void result.then(() => {
    over = true;
  });
  return { result, isOver: () => over };
}

test("while NATS is down, it says so after 2 s and gives up after 30 s", async () => {
  const clock = new VirtualClock();
  daemon.checks = [{ name: "event_log", ok: true, message: "writable" }, DOWN];
  const { result, isOver } = start(clock);
  await clock.advance(1_500);
  expect(written).toEqual([]);
  await clock.advance(20_000);
  expect(written).toEqual([`waiting up to 30 s for the daemon to read the stream; nats: ${DOWN.message}\n`]);
  expect(isOver()).toBe(false);
  await clock.advance(10_000);
  const error = await result;
  expect(error).toBeInstanceOf(PartnerdError);
  expect(error).toMatchObject({
    code: "nats_unavailable",
    message: `the daemon has not read the stream for 30 s; nats: ${DOWN.message}`,
    nextStep: expect.stringContaining("oc-partnerd status") as string,
  });
});

test("a next step of the daemon gets the place flags of resync", async () => {
  onTestFinished(asCommandLine("resync", "--http", "127.0.0.1:9"));
  const clock = new VirtualClock();
  daemon.checks = [{ ...DOWN, message: "see `oc-partnerd status`" }];
  const { result } = start(clock);
  await clock.advance(31_000);
  const told = "nats: see `oc-partnerd status --http 127.0.0.1:9`";
  expect(written).toEqual([`waiting up to 30 s for the daemon to read the stream; ${told}\n`]);
  expect(await result).toMatchObject({ message: `the daemon has not read the stream for 30 s; ${told}` });
});

test("it waits as long as reading makes progress, and says nothing unless it is slow", async () => {
  const clock = new VirtualClock();
  const { result, isOver } = start(clock);
  for (let sequence = 1; sequence < 9; sequence++) {
    await clock.advance(1_000);
    reread(sequence);
  }
  expect(written).toEqual([]);
  await clock.advance(25_000);
  reread(9);
  await clock.advance(25_000);
  expect(isOver(), "slow progress is progress").toBe(false);
  reread(null);
  await clock.advance(200);
  expect(await result).toBe("read the stream again up to sequence 9: found nothing new\nall proven");
  expect(written).toHaveLength(2);
});

test("only a new maximum is progress: a resync that starts over again and again is stuck", async () => {
  const clock = new VirtualClock();
  daemon.checks = [DOWN];
  const { result, isOver } = start(clock);
  for (let round = 0; round < 40 && !isOver(); round++) {
    reread(round % 4);
    await clock.advance(1_000);
  }
  expect(isOver()).toBe(true);
  expect(await result).toMatchObject({ code: "nats_unavailable" });
});

const FULL: Check = { name: "event_log", ok: false, message: "disk full" };
const UP: Check = { name: "nats", ok: true, message: "connected" };
const OTHERS: readonly Check[] = [
  { name: "p2p", ok: false, message: "listening on nothing" },
  { name: "connections", ok: false, message: "out of file descriptors" },
];

test.each<[string, readonly Check[], code: string, why: string]>([
  ["the log", [FULL, ...OTHERS, UP], "database_failed", "event_log: disk full"],
  ["both", [FULL, ...OTHERS, DOWN], "database_failed", `event_log: disk full; nats: ${DOWN.message}`],
  ["NATS", [{ ...FULL, ok: true }, ...OTHERS, DOWN], "nats_unavailable", `nats: ${DOWN.message}`],
  ["neither", [{ ...FULL, ok: true }, ...OTHERS, UP], "nats_unavailable", "nats: connected"],
])("it blames only checks that reading needs: %s", async (_, checks, code, why) => {
  const clock = new VirtualClock();
  daemon.checks = checks;
  const { result } = start(clock);
  await clock.advance(31_000);
  expect(await result).toMatchObject({ code, message: `the daemon has not read the stream for 30 s; ${why}` });
  expect(written).toEqual([`waiting up to 30 s for the daemon to read the stream; ${why}\n`]);
});
