/** The steps of the demo: what each one does, and what must be true at both ends before the next one starts. */
import { recordMessage } from "../fixture/format/message.ts";
import { aggregate } from "./evidence/database.ts";
import {
  ATTEMPTS_TO_SEE,
  allBackedOff,
  allClosedBetween,
  allEstablished,
  allRunning,
  type Missing,
  REFUSALS_TO_SEE,
  refused,
  streamsSince,
} from "./stage/checks.ts";
import { APP, ECHOING_APP, MALFORMED_MESSAGE, USER } from "./stage/messages.ts";
import type { Stage } from "./stage/stage.ts";
import { type Name, PAIRS, viewOf } from "./stage/state.ts";

export interface Step {
  readonly title: string;
  readonly limitMs: number;
  /** Performs the step. Resolves to a check of its effect, which returns undefined, or what is still missing. */
  readonly begin: (stage: Stage, signal: AbortSignal) => Promise<() => Missing | Promise<Missing>>;
}

/** The loss of a stream counts as the first failed attempt. */
const LOSS = 1;

export const STEPS: readonly Step[] = [
  {
    title: "three nodes start, each with its own nats-server",
    limitMs: 20_000,
    async begin(stage) {
      await stage.open();
      return () => allRunning(stage.nodes);
    },
  },
  {
    title: "each node's app publishes the two others as partners",
    limitMs: 12_000,
    async begin(stage, signal) {
      await Promise.all(PAIRS.map(([at, of]) => publishPeer(stage, at, of, { relation: "PARTNER" }, signal)));
      return () => allEstablished(stage.nodes);
    },
  },
  {
    title: "an echo and a malformed event reach lyon: nothing changes",
    limitMs: 8_000,
    async begin(stage, signal) {
      const before = streamsSince(stage.nodes);
      await publishPeer(stage, "lyon", "paris", { relation: "BLACKLIST", fromApp: ECHOING_APP }, signal);
      await stage.at("lyon").publish(MALFORMED_MESSAGE, signal);
      return async () => {
        if ((await stage.at("lyon").metric(`oc_partnerd_events_received_total{result="echo"}`)) !== 1)
          return "lyon has not received the echo";
        if (rejectedEvents(stage, "lyon") !== 1) return "lyon has not rejected the malformed event";
        return streamsSince(stage.nodes) === before ? undefined : "a stream or a relation has changed";
      };
    },
  },
  {
    title: "nantes is killed (kill -9): the others back off",
    limitMs: 15_000,
    async begin(stage) {
      await stage.at("nantes").kill();
      return () => allBackedOff(stage.nodes, "nantes", LOSS + ATTEMPTS_TO_SEE);
    },
  },
  {
    title: "nantes starts again: its streams are back",
    limitMs: 15_000,
    async begin(stage) {
      stage.at("nantes").restart();
      return () => allEstablished(stage.nodes);
    },
  },
  {
    title: "paris freezes (SIGSTOP): its leases expire at the others",
    limitMs: 18_000,
    async begin(stage) {
      stage.at("paris").freeze();
      return () => allBackedOff(stage.nodes, "paris", LOSS);
    },
  },
  {
    title: "paris resumes (SIGCONT): its streams are back",
    limitMs: 12_000,
    async begin(stage) {
      stage.at("paris").thaw();
      return () => allEstablished(stage.nodes);
    },
  },
  {
    title: "lyon blacklists paris: closed at both ends, redials refused",
    limitMs: 12_000,
    async begin(stage, signal) {
      const failedBefore = viewOf(stage.nodes, "paris", "lyon")?.attempts ?? 0;
      await publishPeer(stage, "lyon", "paris", { relation: "BLACKLIST" }, signal);
      const untouched = PAIRS.filter((pair) => pair.includes("nantes"));
      return () =>
        allClosedBetween(stage.nodes, "lyon", "paris") ??
        refused(stage.nodes, "paris", "lyon", failedBefore + LOSS + REFUSALS_TO_SEE) ??
        allEstablished(stage.nodes, untouched);
    },
  },
];

async function publishPeer(
  stage: Stage,
  at: Name,
  of: Name,
  message: { readonly relation: string; readonly fromApp?: string },
  signal: AbortSignal,
): Promise<void> {
  const record = { fromApp: APP, user: USER, ...stage.at(of).identity, name: of, ...message };
  await stage.at(at).publish(recordMessage(record), signal);
}

function rejectedEvents(stage: Stage, at: Name): number {
  return aggregate<{ readonly count: number }>(stage.at(at).directory, "select count(*) as count from rejected_events").count;
}
