/** How the work on a key ended, which decides when it runs again. */
import { causeNameOf, type PartnerdError } from "../base/errors.ts";
import type { AttemptId, FailureFacts } from "../events/types.ts";
import type { Attempt } from "./ports.ts";

export type Outcome =
  /** Nothing to do until the key is woken. */
  | { readonly kind: "done" }
  /** Check again at this time (monotonic ms). */
  | { readonly kind: "after"; readonly atMs: number }
  /** Opening failed; retried after a backoff. */
  | { readonly kind: "retry"; readonly error: PartnerdError; readonly attempt: Attempt }
  /** Opening failed; not retried before a new generation, or a connection by the peer. */
  | { readonly kind: "terminal"; readonly error: PartnerdError; readonly attempt: Attempt }
  /**
   * An internal error: where it was thrown, and the attempt or the opening of the stream concerned. Retried after a backoff; not a
   * failure of the peer.
   */
  | {
      readonly kind: "fault";
      readonly error: PartnerdError;
      readonly part: "reconciler" | "streams";
      readonly attempt: AttemptId | null;
    };

export type FaultOutcome = Extract<Outcome, { kind: "fault" }>;

/** The facts of a failed open. */
export function factsOf(error: PartnerdError): FailureFacts {
  return { streamEnd: error.details.remoteEnd ?? null, errorName: causeNameOf(error) ?? error.details.reason ?? null };
}
