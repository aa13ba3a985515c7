/** Ingest of a broker stream: each message reaches the log once, in order and in time, or the log records why not. */
import type { Invariant, Scene } from "../invariant.ts";
import { clonesAreTold } from "./clones.ts";
import { acknowledgedIsLogged, everyMessageIsLogged } from "./completeness.ts";
import { gapIsOne, readingGoesOn, streamOrder } from "./reading.ts";
import { rollbacksAreTold } from "./rollbacks.ts";
import { StreamBreaks } from "./stream-breaks.ts";

/** No invariants for at-most-once delivery, which promises nothing. */
export function ingest(scene: Scene): readonly Invariant[] {
  if (scene.settings.delivery === "at_most_once") return [];
  const breaks = new StreamBreaks(scene);
  const parts = [
    rollbacksAreTold,
    clonesAreTold,
    acknowledgedIsLogged,
    streamOrder,
    gapIsOne,
    readingGoesOn,
    everyMessageIsLogged,
  ];
  return [breaks.watch, ...parts.map((part) => part(scene, breaks))];
}
