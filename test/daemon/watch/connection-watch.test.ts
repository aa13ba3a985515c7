/** Connections that were refused, cut or closed to make room: rows, counts, log lines and facts. */
import { beforeEach, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { ConnectionWatch } from "../../../src/daemon/watch/connection-watch.ts";
import type { ObservedEvent } from "../../../src/events/types.ts";
import { connectionLimits } from "../../../src/p2p/budgets/connection-limits.ts";
import type { ConnectionCounts, ConnectionTable } from "../../../src/p2p/budgets/connection-table.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { PEER_A } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const FLOODED = new PartnerdError("flooded", "more than 1 MiB in a second");

let clock: VirtualClock;
let logger: RecordingLogger;
let counts: ConnectionCounts;
let observed: ObservedEvent[];
let reasons: string[];
let watch: ConnectionWatch;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  counts = { total: 5, strangers: 2, handshakes: 1, refused: 0, refusedPartners: 0, evicted: 0 };
  observed = [];
  reasons = [];
  watch = new ConnectionWatch({
    clock,
    random: seededRandom(1),
    logger,
    observer: { observed: (event) => void observed.push(event) },
    metrics: { connectionsCut: { inc: ({ reason }) => void reasons.push(reason) } },
  });
});

const watchTable = () =>
  watch.watch({ counts: () => counts, limits: connectionLimits(100, undefined) } as unknown as ConnectionTable);
const warnings = () => logger.lines.map(({ level, message, fields }) => ({ level, message, ...fields }));
const MESSAGE = "connections were refused, cut or closed to make room";
const QUIET = { level: "warn", message: MESSAGE, refused: 0, refusedPartners: 0, evicted: 0, cut: 0, periodMs: 60_000 };
const NOW_OPEN = { open: 5, strangers: 2, handshakes: 1 };

it("a connection that is cut is counted, and gets a row if its peer is known", () => {
  watch.cut(FLOODED, undefined);
  expect([observed, reasons]).toEqual([[], ["flooded"]]);
  watch.cut(FLOODED, PEER_A);
  expect(reasons).toEqual(["flooded", "flooded"]);
  expect(observed).toMatchObject([{ type: "InboundRefused", peerId: PEER_A, reason: "flooded" }]);
});

it("what happened in a minute is one warning, and a quiet minute none", () => {
  watchTable();
  counts = { ...counts, refused: 7, refusedPartners: 3, evicted: 2 };
  watch.cut(FLOODED, undefined);
  clock.advanceSync(59_999);
  expect(logger.lines).toEqual([]);
  clock.advanceSync(1);
  expect(warnings()).toEqual([{ ...QUIET, ...NOW_OPEN, refused: 7, refusedPartners: 3, evicted: 2, cut: 1 }]);
  clock.advanceSync(60_000);
  expect(logger.lines).toHaveLength(1);
  counts = { ...counts, refused: 8, refusedPartners: 4, evicted: 5 };
  clock.advanceSync(60_000);
  expect(warnings().at(-1)).toEqual({ ...QUIET, ...NOW_OPEN, refused: 1, refusedPartners: 1, evicted: 3 });
  watch.cut(FLOODED, undefined);
  clock.advanceSync(60_000);
  expect(warnings().at(-1)).toEqual({ ...QUIET, ...NOW_OPEN, cut: 1 });
  expect(logger.lines).toHaveLength(3);
});

it("nothing is told before there is a host, not even what was cut", () => {
  watch.cut(FLOODED, undefined);
  clock.advanceSync(60_000);
  expect([watch.facts(), logger.lines]).toEqual([null, []]);
});

it("partners are refused recently for one to two minutes", () => {
  watchTable();
  const recently = () => watch.facts()?.recentlyRefusedPartners;
  counts = { ...counts, refusedPartners: 3 };
  expect(watch.facts()).toEqual({ ...counts, limit: 100, recentlyRefusedPartners: 3 });
  clock.advanceSync(60_000);
  expect(recently()).toBe(0);
  counts = { ...counts, refusedPartners: 5 };
  expect(recently()).toBe(2);
  clock.advanceSync(60_000);
  expect(recently()).toBe(2);
  clock.advanceSync(60_000);
  expect(recently()).toBe(0);
});

it("is over with the daemon", () => {
  watch[Symbol.dispose]();
  expect(clock.pendingTimers).toBe(0);
});
