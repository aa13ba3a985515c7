/** Attempts for tests that call `open` without a reconciler. */
import type { AttemptId } from "../../src/events/types.ts";
import type { Attempt } from "../../src/reconciler/ports.ts";

export const ATTEMPT: Attempt = { id: "1.1" as AttemptId, startedAtMs: 0 };
