/** The numbers of the partner protocol and of the libp2p host, each with its reason. */

/** Partner heartbeats (WIRE). The opener writes; the reader never does. */
export const PARTNER_PROTOCOL = "/opencloud/resource/heartbeat/partner/1.0";
/** The bandwidth challenge (WIRE). */
export const PROBE_PROTOCOL = "/opencloud/probe/1.0";
/** Served by every go-libp2p host (WIRE). */
export const PING_PROTOCOL = "/ipfs/ping/1.0.0";

/** Both sides of the wire: a stream without a sign of life for this long is dead (WIRE). */
export const LEASE_MS = 10_000;
/** Three heartbeats fit into a lease, so one lost proof of life loses no stream. */
export const HEARTBEAT_PERIOD_MS = 3_000;
/** Spreads the heartbeats of many peers; the longest period, 3.6 s, still fits twice into a lease with room to answer. */
export const HEARTBEAT_JITTER = 0.2;

/** A heartbeat is some 300 bytes; a value that does not end within this is an attack or another protocol. */
export const MAX_HEARTBEAT_BYTES = 64 * 1024;
/** Heartbeats are flat; deeper nesting than this is not ours to parse. */
export const MAX_HEARTBEAT_DEPTH = 16;
/** A DID or a name; it is kept in the log for ever. */
export const MAX_HEARTBEAT_TEXT_LENGTH = 1_024;

/** The opener writes its first heartbeat at once; who has not after the length of a lease is nobody. */
export const FIRST_HEARTBEAT_TIMEOUT_MS = 10_000;
/** 2 KiB there and back in this time is some 3 kbit/s: slower is not a proper peer (WIRE). */
export const CHALLENGE_TIMEOUT_MS = 5_000;
/** WIRE: 512 to 2,048 random bytes. */
export const MIN_CHALLENGE_BYTES = 512;
export const MAX_CHALLENGE_BYTES = 2_048;
/** What we echo at most for anyone: far above any challenge, far below what would hurt. */
export const MAX_ECHO_BYTES = 64 * 1024;
export const ECHO_TIMEOUT_MS = 10_000;
/** What every ping service echoes. */
export const PING_BYTES = 32;

/** One in proof and one that replaces it; more at once is a flood. */
export const MAX_UNPROVEN_PER_PEER = 2;
/** Each may hold 64 KiB of heartbeat and 2 KiB of challenge: at most 17 MiB in all. */
export const MAX_UNPROVEN_TOTAL = 256;
/** Peers of whom something is remembered although they have no stream: strangers must not fill the memory. */
export const MAX_REMEMBERED_PEERS = 16_384;

/** Streams of one protocol on one connection: what is allowed at once, and as many just being replaced. */
export const MAX_STREAMS_PER_PROTOCOL = 4;
/** All streams of one connection; ours need four. */
export const MAX_STREAMS_PER_CONNECTION = 64;

/** How often the lease clock looks for stalls of the event loop. */
export const LEASE_TICK_MS = 250;
/** Ordinary timer lateness under load; only what exceeds it counts as a stall. */
export const LEASE_TICK_TOLERANCE_MS = 100;

/** A connection that nobody needs any more may say goodbye for this long before it is cut. */
export const CONNECTION_CLOSE_TIMEOUT_MS = 1_000;
/** Native sidecars may get 2 s after SIGTERM; the host gets half of it. */
export const NODE_STOP_TIMEOUT_MS = 1_000;
