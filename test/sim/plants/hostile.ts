/** Bugs that only a hostile peer uses. */
import type { Plant } from "./plant.ts";

export const HOSTILE_PLANTS: readonly Plant[] = [
  {
    name: "any-echo-passes",
    what: "Any bytes that come back pass the challenge: a peer that fails it gets its stream.",
    file: "src/p2p/heartbeat/probe.ts",
    find: 'throw challengeFailed("other bytes came back than were sent");',
    replace: ";",
  },
  {
    name: "oversized-heartbeat-kept",
    what: "A heartbeat may have 64 MiB: a peer that never ends one fills the memory.",
    file: "src/p2p/wire/constants.ts",
    find: "export const MAX_HEARTBEAT_BYTES = 64 * 1024;",
    replace: "export const MAX_HEARTBEAT_BYTES = 64 * 1024 * 1024;",
  },
  {
    name: "unproven-without-limit",
    what: "A peer may have any number of streams challenged at once: one peer takes the places of all.",
    file: "src/p2p/heartbeat/handler.ts",
    find: "if (ofPeer < MAX_UNPROVEN_PER_PEER) return undefined;",
    replace: "if (ofPeer < Number.POSITIVE_INFINITY) return undefined;",
  },
  {
    name: "first-heartbeat-without-deadline",
    what: "A stream may stay open without a heartbeat for ever: a silent peer keeps its places.",
    file: "src/p2p/wire/constants.ts",
    find: "export const FIRST_HEARTBEAT_TIMEOUT_MS = 10_000;",
    replace: "export const FIRST_HEARTBEAT_TIMEOUT_MS = 10_000_000;",
  },
  {
    name: "bytes-to-a-writer-pile-up",
    what: "Bytes on a stream that only we write to are kept, not discarded: a talking far end fills the memory.",
    file: "src/p2p/heartbeat/opener.ts",
    find: "stream.read(() => {});",
    replace: "",
  },
];
