/** Bugs in partner streams. */
import type { Plant } from "./plant.ts";

export const STREAM_PLANTS: readonly Plant[] = [
  {
    name: "stall-kills-healthy-streams",
    what: "Leases keep running while our own event loop stalls: after one long stall every healthy stream has expired.",
    file: "src/p2p/registry/lease-clock.ts",
    find: "return monotonicMs - this.#stalledMs - this.#stallUnderWayMs(monotonicMs);",
    replace: "return monotonicMs;",
  },
  {
    name: "lease-on-the-wall-clock",
    what: "Leases use a clock that can be set: after a step back, dead peers look alive for as long.",
    file: "src/p2p/registry/lease-clock.ts",
    find: "this.#clock = clock;",
    replace: `this.#clock = {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.wallMs(),
      schedule: (delayMs, task) => clock.schedule(delayMs, task),
    };`,
  },
  {
    name: "inbound-never-expires",
    what: "The stream of a silent peer stays open for ever.",
    file: "src/p2p/registry/registry.ts",
    find: "expiresAtMs: inbound.expiresAtMs }",
    replace: "expiresAtMs: Number.POSITIVE_INFINITY }",
  },
  {
    name: "closed-stream-not-woken",
    what: "A stream closes without waking its peer: it is reopened only by the periodic diff.",
    file: "src/p2p/registry/registry.ts",
    find: "this.#components.observer.wake(key.peerId);",
    replace: "",
  },
  {
    name: "replaced-stream-leaks",
    what: "A newer stream takes the slot and the older one stays open, in the log too.",
    file: "src/p2p/registry/registry.ts",
    find: 'if (older !== undefined) this.#finish(key, older, "replaced");',
    replace: "",
  },
  {
    name: "fin-ignored",
    what: "The far end has closed its stream, and we keep writing heartbeats that it never reads.",
    file: "src/p2p/heartbeat/partner-stream.ts",
    find: 'readonly #finished = (): void => this.#end("remote_closed");',
    replace: "readonly #finished = (): void => {};",
  },
  {
    name: "failed-open-not-given-back",
    what: "A failed open leaves its stream and its connection behind.",
    file: "src/p2p/heartbeat/opener.ts",
    find: "attempt.giveBack(this.#components);",
    replace: "",
  },
  {
    name: "suspect-connection-reused",
    what: "A connection with an overdue ping is used for the next open: a half-open one keeps its peer away for ever.",
    file: "src/p2p/heartbeat/opener.ts",
    find: "const reusable = connections.of(peerId).find((connection) => !liveness.isSuspect(connection));",
    replace: "const reusable = connections.of(peerId).at(0);",
  },
  {
    name: "established-without-proof",
    what: "A stream counts as established before the far end has proved alive.",
    file: "src/p2p/heartbeat/opener.ts",
    find: "await liveness.prove(connection, attempt.signal);",
    replace: "",
  },
  {
    name: "admission-not-asked-again",
    what: "A peer that is revoked during its challenge gets its stream anyway.",
    file: "src/p2p/heartbeat/handler.ts",
    find: "if (refusal !== undefined) throw refusal;",
    replace: "",
  },
  {
    name: "wrong-cause",
    what: "A row names the event that last changed the standing, not the one in force: a change of relation or address is overlooked.",
    file: "src/daemon/recorder.ts",
    find: "const causeSeq = store.get(event.peerId)?.generation ?? null;",
    replace: "const causeSeq = store.get(event.peerId)?.standingSeq ?? null;",
  },
];
