/** Marks the tests that only root may run, and everyone else skips. test/fresh/ makes sure that root did. */

declare module "vitest" {
  interface TaskMeta {
    readonly needsRoot?: boolean;
  }
}

/** Options of a test. */
export const NEEDS_ROOT = { meta: { needsRoot: true } } as const;
