/** Checks before the next step, based on the answers of both ends. Pure. Each returns undefined, or what is missing. */
import type { PeerView } from "../../views/api.ts";
import { NAMES, type Name, type Nodes, PAIRS, viewOf } from "./state.ts";

export type Missing = string | undefined;

/** Failed attempts to wait for: enough to see the backoff grow. */
export const ATTEMPTS_TO_SEE = 4;
/** Refusals of the blacklisted node to wait for before the demo ends. */
export const REFUSALS_TO_SEE = 2;

export function allRunning(nodes: Nodes): Missing {
  const missing = NAMES.filter((name) => nodes[name].process !== "running");
  return missing.length === 0 ? undefined : `not ready yet: ${missing.join(", ")}`;
}

/** Each of `pairs` has a stream: established at the opener and registered at the other end. */
export function allEstablished(nodes: Nodes, pairs = PAIRS): Missing {
  const [pair, ...others] = pairs.filter(([from, to]) => !hasStream(nodes, from, to));
  if (pair === undefined) return undefined;
  const [from, to] = pair;
  const view = viewOf(nodes, from, to);
  const what =
    view?.outbound == null
      ? `${from} has no stream to ${to} (${view?.phase ?? "unknown there"})`
      : `${to} has not accepted the stream from ${from}`;
  return others.length === 0 ? what : `${what}, and ${others.length} more`;
}

/** Neither end has a stream with the other, in either direction. */
export function allClosedBetween(nodes: Nodes, one: Name, other: Name): Missing {
  return streamLeft(nodes, one, other) ?? streamLeft(nodes, other, one);
}

/** Every other node has lost its streams with `lost` and failed to reach it `attempts` times in a row. */
export function allBackedOff(nodes: Nodes, lost: Name, attempts: number): Missing {
  for (const at of others(lost)) {
    const left = streamLeft(nodes, at, lost);
    if (left !== undefined) return left;
    const failed = viewOf(nodes, at, lost)?.attempts ?? 0;
    if (failed < attempts) return `${at} has failed to reach ${lost} ${failed} of ${attempts} times`;
  }
  return undefined;
}

/** `at` has failed to reach `of` `attempts` times in a row, and the last failure was a refusal. */
export function refused(nodes: Nodes, at: Name, of: Name, attempts: number): Missing {
  const view = viewOf(nodes, at, of);
  if (view?.lastError?.code !== "refused") return `${of} has not refused ${at} (${view?.lastError?.code ?? "no error"})`;
  return view.attempts >= attempts ? undefined : `${of} has not refused ${at} often enough`;
}

/** All relations and streams with their start times. Two equal values mean that none has changed in between. */
export function streamsSince(nodes: Nodes): string {
  const since = (view: PeerView | undefined) => [view?.relation, view?.outbound?.openedAt, view?.inbound?.openedAt].join(" ");
  return PAIRS.map(([at, of]) => `${at} ${of} ${since(viewOf(nodes, at, of))}`).join("\n");
}

export function others(name: Name): readonly Name[] {
  return NAMES.filter((other) => other !== name);
}

function hasStream(nodes: Nodes, from: Name, to: Name): boolean {
  return viewOf(nodes, from, to)?.outbound != null && viewOf(nodes, to, from)?.inbound != null;
}

/** The node must have answered, because an unknown state does not count as closed. */
function streamLeft(nodes: Nodes, at: Name, of: Name): Missing {
  const view = viewOf(nodes, at, of);
  if (view === undefined) return `${at} has not answered`;
  if (view.outbound !== null) return `${at} still has its stream to ${of}`;
  if (view.inbound !== null) return `${at} still has the stream from ${of}`;
  return undefined;
}
