/** The facts that a peer's program has shown, as one sentence for people. Pure. */
import { counted } from "../base/units.ts";
import type { LearnedFacts } from "../events/learned/learned-facts.ts";

/** As peer_history says it (migrations/0002_views.sql): an agent that could be read as more than a name is quoted. */
export function learnedSentence(facts: LearnedFacts): string {
  const { agent, protocols, protocolsOmitted, heartbeatFields, heartbeatTimestamp, challenge } = facts;
  const parts = [
    agent === null ? "name unknown" : /^[0-9A-Za-z._@/-]+$/.test(agent) ? agent : JSON.stringify(agent),
    protocols && counted(protocols.length + protocolsOmitted, "protocol"),
    heartbeatFields && `heartbeat fields ${heartbeatFields}, timestamp ${heartbeatTimestamp}`,
    challenge && `challenge ${challenge}`,
  ];
  return `its program: ${parts.filter((part) => part !== null).join(", ")}`;
}
