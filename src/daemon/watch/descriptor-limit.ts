/** The limit of open files of this process, and the connections that it allows. */
import { readFileSync } from "node:fs";
import type { Logger } from "../../base/log.ts";
import { type ConnectionLimits, connectionLimits } from "../../p2p/budgets/connection-limits.ts";

/** Shown where the limit of open files is the problem. */
export const RAISE_LIMIT = "raise the limit of open files (LimitNOFILE= in a systemd unit, ulimit -n in a shell)";

/** The limits for `p2p.maxConnections`, or less if the process may not open as many files. Warns in that case. */
export function connectionLimitsFor(maxConnections: number, logger: Pick<Logger, "warn">): ConnectionLimits {
  const descriptors = descriptorLimit();
  const limits = connectionLimits(maxConnections, descriptors);
  if (limits.total < maxConnections)
    logger.warn(
      { maxConnections, descriptors, connections: limits.total, nextStep: `${RAISE_LIMIT}, or lower p2p.maxConnections` },
      "the limit of open files allows fewer connections than p2p.maxConnections",
    );
  return limits;
}

/** How many files, sockets included, this process may have open; undefined if the system does not tell or has no limit. */
function descriptorLimit(): number | undefined {
  try {
    return parseDescriptorLimit(readFileSync("/proc/self/limits", "latin1"));
  } catch {
    // Only Linux has the file.
    return undefined;
  }
}

/** The soft limit in a Linux `limits` file. Node raises it to the hard limit when it starts. */
function parseDescriptorLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
