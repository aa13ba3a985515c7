import { describe, expect, it } from "vitest";
import { memoryLimits, reportMemoryLimits } from "../../../src/daemon/watch/memory-limit.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const MIB = 1_048_576;

function logged(limitMib: number | null, heapMib: number) {
  const logger = new RecordingLogger();
  reportMemoryLimits({ limitBytes: limitMib === null ? null : limitMib * MIB, heapLimitBytes: heapMib * MIB }, logger);
  return { info: logger.at("info"), warn: logger.at("warn") };
}

describe("the memory limit", () => {
  it("says nothing without one", () => {
    expect(logged(null, 4_096)).toEqual({ info: [], warn: [] });
  });

  it("reports one that is large enough", () => {
    expect(logged(512, 280)).toMatchObject({
      info: [{ message: "memory limit", fields: { limitBytes: 512 * MIB, heapLimitBytes: 280 * MIB } }],
      warn: [],
    });
  });

  it("warns of one that the daemon could exceed, with the limit or the heap that fit", () => {
    expect(logged(384, 280).warn).toMatchObject([
      { fields: { nextStep: "raise the memory limit to 472 MiB, or set NODE_OPTIONS=--max-old-space-size=168" } },
    ]);
    // The advice is enough.
    expect(logged(384, 168 + 24).warn).toEqual([]);
    expect(logged(472, 280).warn).toEqual([]);
    expect(logged(256, 280).warn).toMatchObject([{ fields: { nextStep: "raise the memory limit to 472 MiB" } }]);
  });

  it("is not advised to have a heap of less than 64 MiB", () => {
    const heap = "raise the memory limit to 472 MiB, or set NODE_OPTIONS=--max-old-space-size=64";
    expect(logged(280, 280).warn).toMatchObject([{ fields: { nextStep: heap } }]);
    expect(logged(279, 280).warn).toMatchObject([{ fields: { nextStep: "raise the memory limit to 472 MiB" } }]);
  });

  it("is read from the process", () => {
    const { limitBytes, heapLimitBytes } = memoryLimits();
    expect(heapLimitBytes).toBeGreaterThan(MIB);
    if (limitBytes !== null) expect(limitBytes).toBeGreaterThan(MIB);
  });

  it.each([
    ["is 0", 0, null],
    ["is less than the machine has", 1, 1],
    ["is as large as the machine", 1_024, null],
    ["is larger", 1_025, null],
  ])("is one only if it binds: that of the cgroup %s", (_, cgroupBytes, limitBytes) => {
    expect(memoryLimits(cgroupBytes, 1_024).limitBytes).toBe(limitBytes);
  });
});
