/** The limit of open files of this process, and the connections that it allows. */
import { readFileSync } from "node:fs";
import type { Logger } from "../../base/log.ts";
import { type ConnectionLimits, connectionLimits } from "../../p2p/budgets/connection-limits.ts";

/** Shown where the limit of open files is the problem. */
export const RAISE_LIMIT = "raise the limit of open files (LimitNOFILE= in a systemd unit, ulimit -n in a shell)";

/** The limits of this process, on Linux. */
const LIMITS_FILE = "/proc/self/limits";

/**
 * The limits for `p2p.maxConnections`, or less if the process may not open as many files, by `limitsFile`. Warns in that case. Other
 * systems than Linux do not tell.
 */
export function connectionLimitsFor(
  maxConnections: number,
  logger: Pick<Logger, "warn">,
  limitsFile = LIMITS_FILE,
): ConnectionLimits {
  const descriptors = descriptorLimitIn(limitsFile);
  const limits = connectionLimits(maxConnections, descriptors);
  if (limits.total < maxConnections)
    logger.warn(
      { maxConnections, descriptors, connections: limits.total, nextStep: `${RAISE_LIMIT}, or lower p2p.maxConnections` },
      "the limit of open files allows fewer connections than p2p.maxConnections",
    );
  return limits;
}

/**
 * How many files, sockets included, this process may have open; undefined if the system does not tell or has no limit. The soft limit,
 * which Node raises to the hard limit when it starts.
 */
function descriptorLimitIn(limitsFile: string): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync(limitsFile, "latin1")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
