/** Every invariant. */
import { backoffCountsFailures, backoffWaits } from "./backoff.ts";
import { convergence } from "./convergence.ts";
import { generations } from "./generations.ts";
import { ingest } from "./ingest/ingest.ts";
import type { Invariant, Scene } from "./invariant.ts";
import { everyOpenHasItsTurn, operations, partnersAreOpened, periodicDiff } from "./latency.ts";
import { logIsTrue, seqIsGapless } from "./log.ts";
import { revokedStayClosed, undesiredStreamsClose } from "./wire/admission.ts";
import { connectionsHaveAPurpose, healthyStreamsLive, silentStreamsEnd, streamsHaveOwners } from "./wire/streams.ts";

const INVARIANTS = [
  operations,
  undesiredStreamsClose,
  revokedStayClosed,
  healthyStreamsLive,
  silentStreamsEnd,
  streamsHaveOwners,
  connectionsHaveAPurpose,
  partnersAreOpened,
  everyOpenHasItsTurn,
  periodicDiff,
  backoffWaits,
  backoffCountsFailures,
  generations,
  seqIsGapless,
  logIsTrue,
] as const;

/** A fresh set that watches `scene`. */
export function allInvariants(scene: Scene): readonly Invariant[] {
  return [...INVARIANTS.map((watch) => watch(scene)), ...ingest(scene), convergence(scene)];
}
