/** Names the setting to change if a partner's dialect is incompatible with our settings. Pure. */
import type { LearnedFacts } from "../events/learned/learned-facts.ts";

/** Our settings of these names. */
export interface OwnDialect {
  readonly heartbeatFields: string;
  readonly heartbeatTimestamp: string;
  readonly challenge: string;
}

/** A setting and a value for it. `message` is for people: why. Settings apply to all partners. */
export interface Advice {
  readonly setting: "p2p.challenge" | "p2p.heartbeat.fields" | "p2p.heartbeatTimestamp";
  readonly value: string;
  readonly message: string;
}

/**
 * A far end that accepts our streams reads our heartbeats, however it writes its own. `acceptsStreams` is null if it is not known.
 */
export function adviceOn(learned: LearnedFacts, own: OwnDialect, acceptsStreams: boolean | null): readonly Advice[] {
  const { challenge, heartbeatFields, heartbeatTimestamp } = learned;
  const advice: Advice[] = [];
  if (challenge === "unsupported" && own.challenge === "require") {
    const message = "it does not speak the bandwidth challenge, so its streams to us are refused";
    advice.push({ setting: "p2p.challenge", value: "prefer", message });
  }
  if (acceptsStreams !== false) return advice;
  if (isSpoken(heartbeatFields) && heartbeatFields !== own.heartbeatFields) {
    const message = `it ends our streams, and its own heartbeats spell their fields as ${heartbeatFields}, ours as ${own.heartbeatFields}`;
    advice.push({ setting: "p2p.heartbeat.fields", value: heartbeatFields, message });
  }
  if (isSpoken(heartbeatTimestamp) && heartbeatTimestamp !== own.heartbeatTimestamp) {
    const message = `it ends our streams, and its own heartbeats have the timestamp ${heartbeatTimestamp}, ours ${own.heartbeatTimestamp}`;
    advice.push({ setting: "p2p.heartbeatTimestamp", value: heartbeatTimestamp, message });
  }
  return advice;
}

/** True if it is known, and a setting has this value. */
function isSpoken<Kind extends string>(kind: Kind | "other" | null): kind is Exclude<Kind, "other"> {
  return kind !== null && kind !== "other";
}
