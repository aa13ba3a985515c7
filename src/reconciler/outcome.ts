/** How the work on one key ended, and so when it runs again. */
import type { PartnerdError } from "../base/errors.ts";
import type { Attempt } from "./ports.ts";

export type Outcome =
  /** Nothing to do before something wakes the key. */
  | { readonly kind: "done" }
  /** Look again at this time (monotonic ms). */
  | { readonly kind: "after"; readonly atMs: number }
  /** Opening failed and is retried after a backoff. */
  | { readonly kind: "retry"; readonly error: PartnerdError; readonly attempt: Attempt }
  /** Opening failed and waits for a new generation. */
  | { readonly kind: "terminal"; readonly error: PartnerdError; readonly attempt: Attempt }
  /** The program itself failed. Retried after a backoff; not a failure of the peer. */
  | { readonly kind: "fault"; readonly error: PartnerdError };
