/** The daemon makes no mistake of its own, whatever the world does to it. */
import type { Invariant, Scene } from "./invariant.ts";

export function noFaults(scene: Scene): Invariant {
  return {
    faulted: (part, error) => scene.violated("no-internal-errors", `${part}: ${error.message}`),
  };
}
