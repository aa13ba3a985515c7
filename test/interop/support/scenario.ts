/** One row of the table in docs/INTEROP.md: what a Go far end does, tested with each version of go-libp2p. */
import { describe, inject, type TestContext, test } from "vitest";
import { SEPARATOR } from "./scenario-names.ts";
import { VERSIONS, type VersionName } from "./versions.ts";

/** Outbound: our daemon dials the Go partner. Inbound: the Go partner dials it. */
export type ScenarioDirection = "outbound" | "inbound" | "both";

/** `farEnd` and `outcome` are cells of the table. Scenarios of a file run concurrently. */
export function scenario(
  direction: ScenarioDirection,
  farEnd: string,
  outcome: string,
  run: (version: VersionName, context: TestContext) => Promise<void>,
): void {
  describe.skipIf(inject("partners") === null).concurrent([direction, farEnd, outcome].join(SEPARATOR), () => {
    for (const { name } of VERSIONS) test.concurrent(name, (context) => run(name, context));
  });
}
