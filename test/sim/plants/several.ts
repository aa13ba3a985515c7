/** Bugs between two daemons of ours, which no scripted peer shows. */
import type { Plant } from "./plant.ts";

export const SEVERAL_PLANTS: readonly Plant[] = [
  {
    name: "simultaneous-opens-close-both",
    what: "One stream per pair is kept, the newer one: of two daemons that open at once, each closes its own for that of the other.",
    file: "src/p2p/heartbeat/handler.ts",
    find: "registry.register(key, stream, did, null, proven);",
    replace: `registry.register(key, stream, did, null, proven);
    registry.close(keyOf("outbound", peerId), "replaced");`,
  },
  {
    name: "inbound-pace-never-refills",
    what: "A peer that has opened four streams may never open another: a partner that was restarted a few times stays refused.",
    file: "src/p2p/wire/constants.ts",
    find: "export const INBOUND_STREAM_EVERY_MS = 8_000;",
    replace: "export const INBOUND_STREAM_EVERY_MS = 8_000_000;",
  },
  {
    name: "heartbeat-of-another",
    what: "Our heartbeats carry the PeerID of the reader, not ours: every daemon of ours refuses them, and other programs do not look.",
    file: "src/p2p/heartbeat/opener.ts",
    find: "await stream.write(this.#heartbeat(), attempt.signal);",
    replace: `await stream.write(
        encodeHeartbeat({ ...this.#components.self, peerId }, clock.wallMs(), this.#components.heartbeat.timestamp),
        attempt.signal,
      );`,
  },
];
