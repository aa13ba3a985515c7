/** How many connections there may be, by kind. Pure. */
import type { Rate } from "../../base/rate/token-bucket.ts";

export interface ConnectionLimits {
  /** All connections and dials, each of which uses a file descriptor. */
  readonly total: number;
  /** Connections of peers that are not partners. */
  readonly strangers: number;
  /** Inbound connections whose peer has not proved who it is; and those of them that come from a partner's address. */
  readonly handshakes: number;
  readonly handshakesOfPartners: number;
  /** Connections of one peer; go-libp2p allows 8 itself. */
  readonly perPartner: number;
  readonly perStranger: number;
  /** How fast handshakes may begin. One costs 2 to 4 ms of CPU. */
  readonly handshakeRate: Rate;
  readonly handshakeRateOfPartners: Rate;
}

/** Descriptors for everything that is not a libp2p connection: 256 of HTTP, the rest for the database, NATS and listeners. */
export const RESERVED_DESCRIPTORS = 320;
/** 180 KiB of memory each: 45 MiB. */
const MAX_STRANGERS = 256;
const MAX_HANDSHAKES = 128;

/**
 * The limits for `maxConnections` as configured and `descriptors`, the number of files that the process may open (undefined if
 * unknown). Partners always have at least half of the total, because everything else adds up to no more than the other half.
 */
export function connectionLimits(maxConnections: number, descriptors: number | undefined): ConnectionLimits {
  const reserved = Math.min(RESERVED_DESCRIPTORS, Math.floor((descriptors ?? 0) / 2));
  const total = Math.max(1, Math.min(maxConnections, (descriptors ?? Number.POSITIVE_INFINITY) - reserved));
  const share = (part: number, most: number) => Math.max(1, Math.min(most, Math.floor(total * part)));
  return {
    total,
    strangers: share(1 / 4, MAX_STRANGERS),
    handshakes: share(1 / 8, MAX_HANDSHAKES),
    handshakesOfPartners: share(1 / 8, MAX_HANDSHAKES),
    perPartner: 8,
    perStranger: 2,
    handshakeRate: { perSecond: 50, burst: 200 },
    handshakeRateOfPartners: { perSecond: 100, burst: 500 },
  };
}
