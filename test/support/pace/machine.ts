/** The share of the machine that each process currently gets, as reported by the kernel. */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

/** One reading of the machine. */
export interface MachineReading {
  readonly cores: number;
  /** Tasks that are running or waiting for a core, including the reader. */
  readonly runnable: number;
  /** Ticks since boot, summed over all cores, and those that a hypervisor stole. */
  readonly ticks: number;
  readonly stolenTicks: number;
}

/** With a smaller share a minute would become more than half an hour; something else must be wrong then. */
const LEAST_SHARE = 1 / 30;

/** The index of steal time in a `cpu` line of /proc/stat. Guest time, which follows, is already part of user time. */
const STEAL = 7;

/** Reads /proc/stat; on systems other than Linux it uses the load average instead. */
export function readMachine(): MachineReading {
  let text: string;
  try {
    text = readFileSync("/proc/stat", "utf8");
  } catch {
    return { cores: availableParallelism(), runnable: loadavg()[0] ?? 0, ticks: 0, stolenTicks: 0 };
  }
  return parseStat(text);
}

/** Parses the text of /proc/stat. */
export function parseStat(text: string): MachineReading {
  const counters = (/^cpu +(.*)$/m.exec(text)?.[1] ?? "")
    .split(" ")
    .slice(0, STEAL + 1)
    .map(Number);
  return {
    cores: text.match(/^cpu\d+ /gm)?.length ?? 1,
    runnable: Number(/^procs_running (\d+)$/m.exec(text)?.[1] ?? 0),
    ticks: counters.reduce((sum, ticks) => sum + ticks, 0),
    stolenTicks: counters[STEAL] ?? 0,
  };
}

/** The share of a core that a runnable task gets, from 1/30 to 1: cores per task, less the time stolen since `before`. */
export function shareOf(now: MachineReading, before: MachineReading): number {
  const passed = now.ticks - before.ticks;
  const stolen = passed > 0 ? (now.stolenTicks - before.stolenTicks) / passed : 0;
  const share = Math.min(1, now.cores / Math.max(1, now.runnable)) * (1 - stolen);
  return Math.max(LEAST_SHARE, share);
}
