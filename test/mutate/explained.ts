/**
 * Survivors that are right to survive, each with the reason. An explanation holds for the mutants of one operator on one line, which is named
 * by its text, so that it moves with the line and goes stale with its words.
 */
import type { Operator } from "./operators/site.ts";

export interface Explanation {
  readonly path: string;
  readonly operator: Operator;
  /** The text of the line, without the blanks around it. */
  readonly line: string;
  /** Only mutants with this change; without it, all mutants of the operator on that line. */
  readonly change?: string;
  /**
   * `equivalent`: no input can tell the mutant from the program, so it does not count. `accepted`: a test could tell, and the reason says why
   * there is none; it counts as a survivor.
   */
  readonly kind: "equivalent" | "accepted";
  readonly why: string;
}

const NEVER_ABORTED = "The signal is one that never aborts already.";

export const EXPLAINED: readonly Explanation[] = [
  {
    path: "src/daemon/daemon.ts",
    operator: "missing-abort",
    line: "signal: new AbortController().signal,",
    kind: "equivalent",
    why: NEVER_ABORTED,
  },
  {
    path: "src/daemon/log/change-identity.ts",
    operator: "missing-abort",
    line: "await verifyLog({ directory: data, signal: new AbortController().signal });",
    kind: "equivalent",
    why: NEVER_ABORTED,
  },
  {
    path: "src/daemon/rows/suppressed-events.ts",
    operator: "off-by-one",
    line: "#leastPeers = 0;",
    kind: "equivalent",
    why: "A summary has at least one event, and so at least one peer.",
  },
];
