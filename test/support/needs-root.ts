/** Marks tests that need root and are otherwise skipped. test/fresh/ makes sure that root runs them. */

declare module "vitest" {
  interface TaskMeta {
    readonly needsRoot?: boolean;
  }
}

/** Options for such a test. */
export const NEEDS_ROOT = { meta: { needsRoot: true } } as const;
