/** A far end's description of itself over identify, bounded: all of it is its own text. Pure. */
import { detached } from "../../base/units.ts";

/** Unproven text of the far end. Escape it before showing it. */
export interface IdentifyFacts {
  /** The program and its version, such as `go-libp2p/0.38.1`; null if it says none. */
  readonly agent: string | null;
  readonly protocolVersion: string | null;
  /** The protocols that it serves, sorted, each once. */
  readonly protocols: readonly string[];
  /** How many more it listed than are kept. */
  readonly protocolsLeftOut: number;
}

/** A Go host lists about 20. An identify message of 80 KiB, the most that is read, could list thousands. */
const MAX_PROTOCOLS = 64;
const MAX_TEXT_LENGTH = 128;

/** The facts in an identify message. Longer texts are cut; protocols with longer names are left out. */
export function identifyFactsOf(message: {
  readonly agentVersion?: string | undefined;
  readonly protocolVersion?: string | undefined;
  readonly protocols: readonly string[];
}): IdentifyFacts {
  const listed = [...new Set(message.protocols)];
  const protocols = listed.filter(({ length }) => length <= MAX_TEXT_LENGTH).slice(0, MAX_PROTOCOLS);
  return {
    agent: textOf(message.agentVersion),
    protocolVersion: textOf(message.protocolVersion),
    protocols: protocols.map(detached).toSorted(),
    protocolsLeftOut: listed.length - protocols.length,
  };
}

function textOf(text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  return text.length <= MAX_TEXT_LENGTH ? detached(text) : `${detached(text.slice(0, MAX_TEXT_LENGTH))}…`;
}
