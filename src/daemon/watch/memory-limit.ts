/** The memory that this process may use, by its cgroup, and whether its bounds fit into it. */
import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { Logger } from "../../base/log.ts";

const MIB = 1_048_576;

/**
 * Code, native libraries and SQLite's cache (about 115 MiB), the bytes of up to 64 MiB of received messages, and what strangers can
 * make us hold (docs/ABUSE.md).
 */
const OUTSIDE_HEAP_BYTES = 192 * MIB;
/** Part of the heap's limit beside `--max-old-space-size`. */
const YOUNG_BYTES = 24 * MIB;
/** With less the daemon would only collect garbage. */
const SMALLEST_HEAP_MIB = 64;

export interface MemoryLimits {
  /** Of the cgroup; null if there is none. */
  readonly limitBytes: number | null;
  /** V8 ends the process beyond it. */
  readonly heapLimitBytes: number;
}

/** `limitBytes`: without a limit it is 0, or more than the machine has. */
export function memoryLimits(limitBytes = process.constrainedMemory(), machineBytes = totalmem()): MemoryLimits {
  const isLimited = limitBytes > 0 && limitBytes < machineBytes;
  return { limitBytes: isLimited ? limitBytes : null, heapLimitBytes: getHeapStatistics().heap_size_limit };
}

/** Logs the limits, and warns if the kernel could kill the process before its own bounds are reached. */
export function reportMemoryLimits({ limitBytes, heapLimitBytes }: MemoryLimits, logger: Pick<Logger, "info" | "warn">): void {
  if (limitBytes === null) return;
  const facts = { limitBytes, heapLimitBytes };
  const neededBytes = heapLimitBytes + OUTSIDE_HEAP_BYTES;
  if (neededBytes <= limitBytes) {
    logger.info(facts, "memory limit");
    return;
  }
  const heapMib = Math.floor((limitBytes - OUTSIDE_HEAP_BYTES - YOUNG_BYTES) / MIB);
  const orLess = heapMib < SMALLEST_HEAP_MIB ? "" : `, or set NODE_OPTIONS=--max-old-space-size=${heapMib}`;
  const nextStep = `raise the memory limit to ${Math.ceil(neededBytes / MIB)} MiB${orLess}`;
  logger.warn({ ...facts, neededBytes, nextStep }, "memory limit is below what the daemon may need; the kernel could kill it");
}
