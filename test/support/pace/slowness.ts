/** Measures, once before the tests, how much slower this machine is than an ordinary idle one. */
import { spawnSync } from "node:child_process";
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMachine, shareOf } from "./machine.ts";

/** The duration of the same work, in ms, on an idle machine for which the deadlines in the tests are right. */
const IDLE_MS = { compute: 60, startNode: 60, fsync: 10 } as const;

/** Beyond this factor, waiting longer does not help. */
const MOST = 12;

type Work = keyof typeof IDLE_MS;

/**
 * `slowness` is 1 for a machine on which the deadlines are right, and up to 12 for one with a slow processor, a quota or a slow disk. It
 * excludes other load on the machine, which is in `share` and may change while the tests run.
 */
export function measureSlowness(): { readonly slowness: number; readonly share: number } {
  const before = readMachine();
  const measured: Record<Work, number> = { compute: timed(compute), startNode: timed(startNode), fsync: 0 };
  measured.fsync = fsyncTakesMs();
  const share = shareOf(readMachine(), before);
  return { slowness: slownessOf(measured, share), share };
}

/** The worst of the three factors, corrected for a small share of the machine. */
export function slownessOf(measured: Readonly<Record<Work, number>>, share: number): number {
  const works = Object.keys(IDLE_MS) as Work[];
  const worst = Math.max(...works.map((work) => (measured[work] * share) / IDLE_MS[work]));
  return Math.min(MOST, Math.max(1, worst));
}

function timed(work: () => void): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

/** Converts objects to text and back, the program's most common work. */
function compute(): void {
  let value: unknown = { name: "partner", relation: "PARTNER", address: "/ip4/127.0.0.1/tcp/4001" };
  for (let turn = 0; turn < 40_000; turn++) value = JSON.parse(JSON.stringify(value));
}

function startNode(): void {
  spawnSync(process.execPath, ["--eval", "0"]);
}

/** The median of five fsyncs. */
function fsyncTakesMs(): number {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-pace-"));
  try {
    const file = openSync(join(directory, "file"), "w");
    const page = Buffer.alloc(4_096, 1);
    const takenMs = Array.from({ length: 5 }, () =>
      timed(() => {
        writeSync(file, page);
        fsyncSync(file);
      }),
    );
    closeSync(file);
    return takenMs.toSorted((one, other) => one - other)[2] ?? 0;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
