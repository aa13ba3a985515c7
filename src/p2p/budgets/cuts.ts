/** Which connections this side has cut because their far end exceeded a limit. libp2p ends their streams as if they were lost. */
import { type CutReason, isCutReason, PartnerdError } from "../../base/errors.ts";

/** A connection that was cut, by the limit that its far end exceeded. */
export interface ConnectionCut {
  readonly reason: CutReason;
  /** The limit, in words. */
  readonly limit: string;
}

/** The cut that `error` causes when a connection is aborted with it; undefined if it is not about a limit. */
export function cutBy(error: unknown): ConnectionCut | undefined {
  if (!(error instanceof PartnerdError) || !isCutReason(error.code)) return undefined;
  return { reason: error.code, limit: error.message };
}

/** The error of what the cut has ended. */
export function cutError({ reason, limit }: ConnectionCut): PartnerdError {
  return new PartnerdError(reason, `this side cut the connection, because the far end exceeded a limit: ${limit}`);
}

/** By connection. Weak: a connection is forgotten with its last user. */
const cuts = new WeakMap<object, ConnectionCut>();

export function noteCut(connection: object, cut: ConnectionCut): void {
  cuts.set(connection, cut);
}

/** Undefined if this side has not cut the connection. Known before its streams end. */
export const cutOf = (connection: object): ConnectionCut | undefined => cuts.get(connection);
