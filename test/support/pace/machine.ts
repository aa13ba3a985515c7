/** How much of the machine each process gets right now, read from the kernel. */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";

/** One look at the machine. */
export interface MachineReading {
  readonly cores: number;
  /** Tasks that run or wait for a core, the reader among them. */
  readonly runnable: number;
  /** Ticks since boot of all cores together, and those that a hypervisor gave to others. */
  readonly ticks: number;
  readonly stolenTicks: number;
}

/** A share below this would stretch a minute to half an hour: something else is wrong then. */
const LEAST_SHARE = 1 / 30;

/** The eighth counter of a `cpu` line in /proc/stat; guest time behind it is contained in user time already. */
const STEAL = 7;

/** The machine as /proc/stat shows it; elsewhere than on Linux the load average stands in. */
export function readMachine(): MachineReading {
  let text: string;
  try {
    text = readFileSync("/proc/stat", "utf8");
  } catch {
    return { cores: availableParallelism(), runnable: loadavg()[0] ?? 0, ticks: 0, stolenTicks: 0 };
  }
  return parseStat(text);
}

/** Reads the text of /proc/stat. */
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

/** The part of a core that a task which wants to run gets, from 1/30 to 1: cores by tasks, without what was stolen since `before`. */
export function shareOf(now: MachineReading, before: MachineReading): number {
  const passed = now.ticks - before.ticks;
  const stolen = passed > 0 ? (now.stolenTicks - before.stolenTicks) / passed : 0;
  const share = Math.min(1, now.cores / Math.max(1, now.runnable)) * (1 - stolen);
  return Math.max(LEAST_SHARE, share);
}
