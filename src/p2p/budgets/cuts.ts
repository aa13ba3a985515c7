/** Which connections this side has cut because their far end exceeded a limit. libp2p ends their streams as if they were lost. */
import { type CutReason, isCutReason, PartnerdError } from "../../base/errors.ts";

/** A connection that was cut, by the limit that its far end exceeded. */
export interface ConnectionCut {
  readonly reason: CutReason;
  /** The limit, in words. */
  readonly limit: string;
}

/** Knows which connections this side has cut: the `Door`. */
export interface Cuts {
  /** Undefined if this side has not cut the connection. Known before its streams end. */
  cutOf(connection: { readonly timeline?: object | undefined }): ConnectionCut | undefined;
}

/** For a host without limits, which cuts nothing. */
export const NO_CUTS: Cuts = { cutOf: () => undefined };

/** The cut that `error` causes when a connection is aborted with it; undefined if it is not about a limit. */
export function cutBy(error: unknown): ConnectionCut | undefined {
  if (!(error instanceof PartnerdError) || !isCutReason(error.code)) return undefined;
  return { reason: error.code, limit: error.message };
}

/** The error of what the cut has ended. */
export function cutError({ reason, limit }: ConnectionCut): PartnerdError {
  return new PartnerdError(reason, `this side cut the connection, because the far end exceeded a limit: ${limit}`);
}
