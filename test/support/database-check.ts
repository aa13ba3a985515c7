/** Whether a daemon's database is whole, whatever happened to the process that wrote it. */
import { systemClock } from "../../src/clock.ts";
import { openStore } from "../../src/store/store.ts";
import { rawConnection } from "../store/temporary-store.ts";
import type { DaemonProcess } from "./daemon-process.ts";

/** What is wrong with it, one sentence each; empty when it opens clean. The daemon must not be running. */
export function databaseFaults(daemon: Pick<DaemonProcess, "dataDir" | "databaseFile">): string[] {
  return [...fileFaults(daemon.databaseFile), ...projectionFaults(daemon.dataDir)];
}

function fileFaults(path: string): string[] {
  using raw = rawConnection(path);
  const integrity = raw.database.pragma("integrity_check", { simple: true });
  const { rows, head } = raw.database
    .prepare<[], { rows: number; head: number }>("select count(*) as rows, coalesce(max(seq), 0) as head from event_log")
    .get() ?? { rows: -1, head: -1 };
  return [
    ...(integrity === "ok" ? [] : [`integrity_check: ${String(integrity)}`]),
    ...(rows === head ? [] : [`event_log has ${rows} rows up to seq ${head}`]),
  ];
}

function projectionFaults(directory: string): string[] {
  using store = openStore({ directory, clock: systemClock });
  return store.verifyProjections();
}
