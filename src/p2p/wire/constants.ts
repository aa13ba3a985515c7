/** Constants of the partner protocol and the libp2p host, each with its reason. */

/** Partner heartbeats (docs/WIRE.md). Only the opener writes. */
export const PARTNER_PROTOCOL = "/opencloud/resource/heartbeat/partner/1.0";
/** The bandwidth challenge (docs/WIRE.md). */
export const PROBE_PROTOCOL = "/opencloud/probe/1.0";
/** Served by every libp2p host: says what it is and which protocols it serves. */
export const IDENTIFY_PROTOCOL = "/ipfs/id/1.0.0";
/** Served by every go-libp2p host (docs/WIRE.md). */
export const PING_PROTOCOL = "/ipfs/ping/1.0.0";

/** On both sides, a stream without a sign of life for this long is dead (docs/WIRE.md). */
export const LEASE_MS = 10_000;
/** Three heartbeats fit into a lease, so one missing proof of life closes no stream. */
export const HEARTBEAT_PERIOD_MS = 3_000;
/** Spreads the heartbeats of many peers. The longest period, 3.6 s, fits twice into a lease, with time for the answer. */
export const HEARTBEAT_JITTER = 0.2;

/** A heartbeat has about 300 bytes; a longer value than this is an attack or another protocol. */
export const MAX_HEARTBEAT_BYTES = 64 * 1024;
/** Heartbeats are flat; deeper nesting than this is rejected. */
export const MAX_HEARTBEAT_DEPTH = 16;
/** Of a DID or a name, which the log keeps permanently. */
export const MAX_HEARTBEAT_TEXT_LENGTH = 1_024;

/** The opener writes its first heartbeat at once; a stream without one after the length of a lease is refused. */
export const FIRST_HEARTBEAT_TIMEOUT_MS = 10_000;
/** 2 KiB there and back in this time is about 3 kbit/s, the slowest that is accepted (docs/WIRE.md). */
export const CHALLENGE_TIMEOUT_MS = 5_000;
/** The challenge has 512 to 2,048 random bytes (docs/WIRE.md). */
export const MIN_CHALLENGE_BYTES = 512;
export const MAX_CHALLENGE_BYTES = 2_048;
/** Most bytes that we echo on one stream of challenges: some far ends send 1 MiB. */
export const MAX_ECHO_BYTES = 1024 * 1024;
/** 1 MiB there and back at 0.6 Mbit/s. */
export const ECHO_TIMEOUT_MS = 30_000;
/** A stream of pings ends after a minute without one, as in go-libp2p. */
export const PING_IDLE_MS = 60_000;
/** Answers to pings that may wait for a peer that does not read. */
export const MAX_PINGS_UNREAD_BYTES = 16 * 1024;
/** The payload that every ping service echoes. */
export const PING_BYTES = 32;

/** Time for the answer to identify. */
export const IDENTIFY_TIMEOUT_MS = 5_000;
/** go-libp2p sends up to 8 KiB, and more only with hundreds of addresses and protocols. */
export const MAX_IDENTIFY_BYTES = 64 * 1024;

/** One stream being challenged and one that replaces it; more at once is a flood. */
export const MAX_UNPROVEN_PER_PEER = 2;
/** Inbound streams that a peer may open in a row; its own backoff opens fewer after it restarted. */
export const INBOUND_STREAMS_AT_ONCE = 4;
/** One more after each period of this length: as often as our own backoff retries a flapping peer. */
export const INBOUND_STREAM_EVERY_MS = 8_000;
/** Each may buffer 64 KiB of heartbeat and 2 KiB of challenge: at most 17 MiB in total. */
export const MAX_UNPROVEN_TOTAL = 256;
/** Most peers without a stream about which something is remembered, so that strangers cannot fill the memory. */
export const MAX_REMEMBERED_PEERS = 16_384;

/** Streams of one protocol on one connection: two that are allowed at once, and two that are being replaced. */
export const MAX_STREAMS_PER_PROTOCOL = 4;
/** Streams that each side may have open on one connection. A partner needs four. */
export const MAX_STREAMS_PER_CONNECTION = 16;
/** Bytes that may wait to be sent, on each layer of a connection: what is left of a challenge of 1 MiB after the first window. */
export const MAX_UNSENT_BYTES = 1024 * 1024;

/** How often the lease clock checks for stalls of the event loop. */
export const LEASE_TICK_MS = 250;
/** Ordinary timer lateness under load; only the excess counts as a stall. */
export const LEASE_TICK_TOLERANCE_MS = 100;

/** Time for an unused connection to close gracefully before it is aborted. */
export const CONNECTION_CLOSE_TIMEOUT_MS = 1_000;
/** Kubernetes may kill a native sidecar 2 s after SIGTERM; the host gets half of that. */
export const NODE_STOP_TIMEOUT_MS = 1_000;
