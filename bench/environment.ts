/** The environment of a measurement, without anything that identifies the machine. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { systemClock } from "../src/base/clock.ts";

const ROOT = join(import.meta.dirname, "..");

export interface Environment {
  readonly date: string;
  /** Null outside a git checkout. */
  readonly commit: string | null;
  /** True if files differ from that commit. */
  readonly modified: boolean;
  readonly cores: number;
  readonly cpu: string;
  readonly platform: string;
  readonly node: string;
  readonly natsServer: string;
  /** One-minute load average before the benchmarks. On a busy machine times are unreliable, ratios less so. */
  readonly loadAverage: number;
}

export async function describeEnvironment(natsUrl: string): Promise<Environment> {
  const commit = git("rev-parse", "HEAD");
  return {
    date: new Date(systemClock.wallMs()).toISOString(),
    commit,
    modified: commit !== null && git("status", "--porcelain", "--", "src", "bench", "package-lock.json") !== "",
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? "unknown",
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    natsServer: await natsServerVersion(natsUrl),
    loadAverage: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

async function natsServerVersion(servers: string): Promise<string> {
  const connection = await connect({ servers });
  try {
    return connection.info?.version ?? "unknown";
  } finally {
    await connection.close();
  }
}

/** Null if git is missing or this is not a checkout. */
function git(...args: readonly string[]): string | null {
  try {
    return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return null;
  }
}
