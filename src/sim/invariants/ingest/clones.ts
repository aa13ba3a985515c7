/** A clone of the daemon that takes its consumer is named in the log. */
import { CLONE } from "../../broker/stream.ts";
import type { Invariant, Scene } from "../invariant.ts";

/** A look at the consumer, and a restart of reading after failures. */
const TOLD_MS = 10_000;

export function clonesAreTold(scene: Scene): Invariant {
  const { broker } = scene;
  const { stream } = broker;
  const told = new Set<string>();
  let known = 0;
  let disturbances = 0;
  /** The owner of the consumer when the daemon started: a clone that took it from that run is not known as one. */
  let before: string | undefined;
  return {
    started() {
      before = stream.consumer?.state.owner?.run;
    },
    logged({ event }) {
      if (event.type !== "CloneSeen") return;
      told.add(event.details.otherRun);
      if (!event.details.otherRun.includes(CLONE))
        scene.violated("clone-is-told", `the log says that run ${event.details.otherRun} is a clone, but it is this daemon`);
    },
    disturbed() {
      disturbances += 1;
      const { taken } = stream;
      if (taken === undefined || taken.times === known) return;
      known = taken.times;
      // A clone that another clone follows at once may be gone before the daemon looks.
      if (taken.from === before || taken.from.includes(CLONE) || scene.daemon === undefined || broker.answers.isLagging) return;
      const since = disturbances;
      scene.within(TOLD_MS, "clone-is-told", () => {
        if (since !== disturbances || told.has(taken.by) || broker.state !== "up" || scene.disk.state !== "healthy")
          return undefined;
        return `run ${taken.by} has taken the consumer from ${taken.from}, but no CloneSeen names it`;
      });
    },
  };
}
