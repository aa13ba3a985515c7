/** The facts known about a peer's program, as rows of a table. */
import { counted } from "../../base/units.ts";
import type { LearnedFacts } from "../../events/learned/learned-facts.ts";

type Fact = readonly [fact: string, value: string | null];

/** `at` is when it was learned, at the row `seq`. Null facts are not known. */
export function learnedRows(learned: (LearnedFacts & { readonly seq: number; readonly at: string }) | null): readonly Fact[] {
  if (learned === null) return [["program", "nothing learned yet"]];
  const { agent, protocolVersion, heartbeatFields, heartbeatTimestamp, challenge, at, seq } = learned;
  return [
    ["program", agent],
    ["protocol version", protocolVersion],
    ...protocolRows(learned),
    ["heartbeats", heartbeatFields && `fields ${heartbeatFields}, timestamp ${heartbeatTimestamp}`],
    ["challenge", challenge === "unsupported" ? "unproven: it does not speak the bandwidth challenge" : challenge],
    ["learned", `${at}, in event ${seq}`],
  ];
}

/** A row each, with the fact named once. */
function protocolRows({ protocols, protocolsOmitted }: LearnedFacts): readonly Fact[] {
  if (protocols === null) return [["protocols", null]];
  const more = protocolsOmitted === 0 ? [] : [`and ${counted(protocolsOmitted, "more protocol")}`];
  const shown = [...protocols, ...more];
  return shown.length === 0 ? [["protocols", "none"]] : shown.map((value, index) => [index === 0 ? "protocols" : "", value]);
}
