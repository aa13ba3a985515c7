/** Checks that a daemon's database is intact. */
import { systemClock } from "../../src/base/clock.ts";
import { checkDatabase } from "../../src/store/check/check.ts";
import { sentenceOf } from "../../src/store/model/finding.ts";
import { openStore } from "../../src/store/store.ts";
import type { DaemonProcess } from "./daemon-process.ts";

/** Faults in the database as it was left and after opening it, one sentence each. The daemon must not be running. */
export function databaseFaults({ dataDir }: Pick<DaemonProcess, "dataDir">): string[] {
  const asLeft = findings(dataDir);
  using store = openStore({ directory: dataDir, clock: systemClock });
  return [...asLeft, ...store.verifyProjections(), ...findings(dataDir)];
}

function findings(dataDir: string): string[] {
  return checkDatabase({ path: dataDir }).findings.map(sentenceOf);
}
