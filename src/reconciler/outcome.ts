/** How the work on one key ended, and so when it runs again. */
import type { PartnerdError } from "../base/errors.ts";

export type Outcome =
  /** Nothing to do before something wakes the key. */
  | { readonly kind: "done" }
  /** Look again at this time (monotonic ms). */
  | { readonly kind: "after"; readonly atMs: number }
  /** It failed and is tried again after a backoff. */
  | { readonly kind: "retry"; readonly error: PartnerdError }
  /** It failed and waits for a new generation. */
  | { readonly kind: "terminal"; readonly error: PartnerdError };
