/** Bugs that the crash campaign plants besides those of the simulator. */
import { plantOf } from "../sim/plants/all.ts";
import type { Plant } from "../sim/plants/plant.ts";

export const CRASH_PLANTS: readonly Plant[] = [
  {
    name: "had-called-never-received",
    what: "Messages that the log had before its rollback are recorded like those that it never had.",
    file: "src/ingest/stream/align.ts",
    find: "const lastLogged = Math.min(hadUpTo, nextSequence - 1);",
    replace: "const lastLogged = Math.min(0, hadUpTo, nextSequence - 1);",
  },
  {
    name: "purge-taken-for-rollback",
    what: "The broker moves the consumer past a purge, and the log calls itself an older copy.",
    file: "src/ingest/stream/align.ts",
    find: "|| acknowledged < firstSequence ?",
    replace: "?",
  },
  {
    name: "earlier-run-taken-for-clone",
    what: "The consumer of the run before is taken for that of another daemon.",
    file: "src/ingest/stream/contest.ts",
    find: "if (other === undefined || !this.#isOurs || isSame(other, this.#us)) return;",
    replace: "if (other === undefined || isSame(other, this.#us)) return;",
  },
  {
    name: "clone-taken-for-rollback",
    what: "A clone acknowledges messages, and the log calls itself an older copy.",
    file: "src/ingest/stream/align-log.ts",
    find: "byClone: isTaken || isAnothers || log.contestedRuns().includes(owner.run) };",
    replace: "byClone: isTaken && !isAnothers && owner.run === run };",
  },
];

/** A bug of this list or of the simulator's; undefined if there is none of this name. */
export function crashPlantOf(name: string): Plant | undefined {
  return CRASH_PLANTS.find((plant) => plant.name === name) ?? plantOf(name);
}
