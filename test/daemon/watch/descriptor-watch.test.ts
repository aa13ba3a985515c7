/** A daemon that runs out of file descriptors, and the number of connections that keeps it from that. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { connectionLimitsFor, RAISE_LIMIT } from "../../../src/daemon/watch/descriptor-limit.ts";
import { DescriptorWatch } from "../../../src/daemon/watch/descriptor-watch.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { temporaryDirectory } from "../../store/support/temporary-store.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const SPARE = 16;
const EXHAUSTED = { level: "error", fields: { nextStep: RAISE_LIMIT }, message: "out of file descriptors" };

let clock: VirtualClock;
let logger: RecordingLogger;
/** The descriptors that are open, and how many may be. */
let open: Set<number>;
let limit: number;
let opened: number;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  open = new Set();
  limit = SPARE + 1;
  opened = 0;
});

const files = {
  open: () => {
    if (open.size >= limit) throw new Error("EMFILE: too many open files");
    opened += 1;
    open.add(opened);
    return opened;
  },
  close: (descriptor: number) => {
    if (!open.delete(descriptor)) throw new Error(`EBADF: ${descriptor}`);
  },
};
const watchFiles = () => new DescriptorWatch({ clock, random: seededRandom(1), logger, files });

describe("the watch over file descriptors", () => {
  it("keeps 16 back and looks each second, while there is one more", () => {
    using watch = watchFiles();
    expect([open.size, opened]).toEqual([SPARE, SPARE]);
    clock.advanceSync(999);
    expect(opened).toBe(SPARE);
    clock.advanceSync(1);
    expect([open.size, opened, watch.exhausted, logger.lines]).toEqual([SPARE, SPARE + 1, false, []]);
  });

  it("gives them back when none can be opened, says so once, and takes them again when it is over", () => {
    using watch = watchFiles();
    limit = SPARE;
    clock.advanceSync(3_000);
    expect([open.size, watch.exhausted, logger.lines]).toEqual([0, true, [EXHAUSTED]]);
    limit = SPARE + 1;
    clock.advanceSync(3_000);
    expect([open.size, watch.exhausted]).toEqual([SPARE, false]);
    expect(logger.lines.slice(1)).toEqual([{ level: "info", fields: {}, message: "file descriptors are available again" }]);
  });

  it("is exhausted while others hold what it gave back", () => {
    using watch = watchFiles();
    limit = SPARE;
    clock.advanceSync(1_000);
    limit = SPARE - 1;
    clock.advanceSync(1_000);
    expect([open.size, watch.exhausted, logger.lines]).toEqual([0, true, [EXHAUSTED]]);
  });

  it("ends with its descriptors and its timer", () => {
    watchFiles()[Symbol.dispose]();
    expect([open.size, clock.pendingTimers]).toEqual([0, 0]);
  });

  it("counts those of this process", () => {
    using watch = new DescriptorWatch({ clock, random: seededRandom(1), logger });
    clock.advanceSync(1_000);
    expect(watch.exhausted).toBe(false);
  });
});

describe("the limit of connections", () => {
  function limitsWith(file: string | undefined, maxConnections: number) {
    using directory = temporaryDirectory();
    const path = join(directory.path, "limits");
    if (file !== undefined) writeFileSync(path, file);
    return connectionLimitsFor(maxConnections, logger, path).total;
  }
  const limits = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft}                 4096                 files     \n`;

  it("leaves descriptors for everything else, and warns if that allows fewer than the setting", () => {
    expect(limitsWith(limits("1024"), 705)).toBe(704);
    expect(logger.lines).toEqual([
      {
        level: "warn",
        fields: {
          maxConnections: 705,
          descriptors: 1_024,
          connections: 704,
          nextStep: `${RAISE_LIMIT}, or lower p2p.maxConnections`,
        },
        message: "the limit of open files allows fewer connections than p2p.maxConnections",
      },
    ]);
    expect(limitsWith(limits("1024"), 704)).toBe(704);
    expect(logger.lines).toHaveLength(1);
  });

  it.each([
    ["is unlimited", limits("unlimited")],
    ["is not told", undefined],
    ["is told otherwise", "Max processes 7\n"],
  ])("is the setting if the limit of open files %s", (_, file) => {
    expect([limitsWith(file, 8_192), logger.lines]).toEqual([8_192, []]);
  });
});
