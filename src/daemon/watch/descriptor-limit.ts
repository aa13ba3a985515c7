/** The limit of open files of this process. */
import { readFileSync } from "node:fs";

/** How many files, sockets included, this process may have open; undefined if the system does not tell or has no limit. */
export function descriptorLimit(): number | undefined {
  try {
    return parseDescriptorLimit(readFileSync("/proc/self/limits", "latin1"));
  } catch {
    // Only Linux has the file.
    return undefined;
  }
}

/** The soft limit in a Linux `limits` file. Node raises it to the hard limit when it starts. */
export function parseDescriptorLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
