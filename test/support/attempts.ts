/** Attempts for tests that call `open` without a reconciler. */
import type { AttemptId, RunId } from "../../src/events/types.ts";
import type { Attempt } from "../../src/reconciler/ports.ts";

export const ATTEMPT: Attempt = { id: "1.1" as AttemptId, startedAtMs: 0, graceMs: 0, isCurrent: () => true };

/** Of a failure of which no more than its code is known. */
export const NO_FACTS = { streamEnd: null, errorName: null } as const;

export const RUN = "1" as RunId;
