/** All invariants that a simulated world is checked against. */
import { backoffCountsFailures, backoffWaits } from "./invariants/backoff.ts";
import { causesLead } from "./invariants/causes.ts";
import { convergence } from "./invariants/convergence.ts";
import { noFaults } from "./invariants/faults.ts";
import { generations } from "./invariants/generations.ts";
import { daemonStarts, headIsTheLogs } from "./invariants/head.ts";
import { ingest } from "./invariants/ingest/ingest.ts";
import type { Invariant, Scene } from "./invariants/invariant.ts";
import { everyOpenHasItsTurn, operations, partnersAreOpened, periodicDiff } from "./invariants/latency.ts";
import { logIsTrue, schemaIsCurrent, seqIsGapless } from "./invariants/log.ts";
import { closesNameTheirOpening } from "./invariants/openings.ts";
import { rowsAreBounded } from "./invariants/rows.ts";
import { revokedStayClosed, undesiredStreamsClose } from "./invariants/wire/admission.ts";
import { inboundIsBounded, liarsStayOut, partnersAreNotDelayed } from "./invariants/wire/hostile.ts";
import { connectionsHaveAPurpose, healthyStreamsLive, silentStreamsEnd, streamsHaveOwners } from "./invariants/wire/streams.ts";

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
  schemaIsCurrent,
  causesLead,
  closesNameTheirOpening,
  rowsAreBounded,
  daemonStarts,
  headIsTheLogs,
  inboundIsBounded,
  liarsStayOut,
  partnersAreNotDelayed,
  noFaults,
] as const;

/** A fresh set of invariants observing `scene`. */
export function allInvariants(scene: Scene): readonly Invariant[] {
  return [...INVARIANTS.map((watch) => watch(scene)), ...ingest(scene), convergence(scene)];
}
