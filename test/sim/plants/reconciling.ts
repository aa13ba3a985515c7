/** Bugs in decisions and their timing. */
import type { Plant } from "./plant.ts";

export const RECONCILING_PLANTS: readonly Plant[] = [
  {
    name: "wake-not-deduplicated",
    what: "A key that is woken while it is busy runs at once, in parallel: two opens of one peer race.",
    file: "src/reconciler/keyed-queue.ts",
    find: "if (!slot.busy) this.#enqueue(slot);",
    replace: "this.#enqueue(slot);",
  },
  {
    name: "wake-during-work-lost",
    what: "A wake that is scheduled for a busy key is forgotten when its work ends.",
    file: "src/reconciler/keyed-queue.ts",
    find: "if (slot.dueAtMs === Number.POSITIVE_INFINITY) {",
    replace: "if (slot.dueAtMs >= 0) {",
  },
  {
    name: "slot-freed-at-timeout",
    what: "A timeout ends the wait but not the open: its slot and its key are freed while it still runs.",
    file: "src/reconciler/actions.ts",
    find: "await this.#streams.open(peer, limit.signal, attempt);",
    replace: `const late = new Promise<never>((_, reject) => limit.signal.addEventListener("abort", () => reject(limit.signal.reason)));
      await Promise.race([this.#streams.open(peer, signal, attempt), late]);`,
  },
  {
    name: "open-without-deadline",
    what: "A peer that accepts a connection and then stays silent holds its slot for ever.",
    file: "src/reconciler/actions.ts",
    find: "using limit = this.#deadline(this.#options.openTimeoutMs + wanted.graceMs,",
    replace: "using limit = this.#deadline(Number.POSITIVE_INFINITY,",
  },
  {
    name: "outdated-open-goes-on",
    what: "An open is not aborted when its peer is revoked: it delays the closing of the peer's other streams.",
    file: "src/reconciler/reconciler.ts",
    find: 'inFlight.controller.abort(new PartnerdError("aborted", "the desired state of the peer changed"));',
    replace: "",
  },
  {
    name: "no-periodic-diff",
    what: "The periodic diff never runs: a lost wake is lost for good.",
    file: "src/reconciler/reconciler.ts",
    find: "this.#diff((peerId) => this.#deps.observer.resyncFound(peerId)),",
    replace: "undefined,",
  },
  {
    name: "no-sweep-of-undesired",
    what: "The periodic diff covers desired partners only: undesired streams are never found.",
    file: "src/reconciler/reconciler.ts",
    find: `const keys = new Set(this.#deps.streams.peers());
    for (const peer of this.#deps.desired.list()) keys.add(peer.peerId);`,
    replace: `const keys = new Set<PeerId>();
    for (const peer of this.#deps.desired.list()) if (peer.standing === "partner") keys.add(peer.peerId);`,
  },
  {
    name: "renewal-failure-counts-as-open-failure",
    what: "A missed proof of life is logged as a failed open and increases the backoff while the stream is open.",
    file: "src/reconciler/reconciler.ts",
    find: "return isAlive ? undefined : this.#lookAgain(peerId, RENEW_AGAIN_MS);",
    replace: `const error = new PartnerdError("timeout", "no proof of life came");
      return isAlive ? undefined : { kind: "retry", error, attempt: { id: attempt, startedAtMs: inFlight.sinceMs, graceMs: 0, isCurrent: () => true } };`,
  },
  {
    name: "refusal-is-final",
    what: "A peer that refused once is not retried until its record changes, although it may accept a minute later.",
    file: "src/reconciler/reconciler.ts",
    find: 'new Set<ErrorCode>(["address_unsupported", "address_denied", "identity_unsupported"])',
    replace: 'new Set<ErrorCode>(["address_unsupported", "address_denied", "identity_unsupported", "refused"])',
  },
  {
    name: "events-inflate-backoff",
    what: "Every wake of a peer in backoff counts as one more failure: the more events it gets, the later it is retried.",
    file: "src/reconciler/reconciler.ts",
    find: "this.#queue.schedule(peerId, this.#deps.clock.monotonicMs());",
    replace: `this.#retries.update(peerId, generationOf(this.#deps.desired.get(peerId)), (retry) =>
      retry.state === "waiting"
        ? failed(retry, { ...retry.failure, failedAtMs: this.#deps.clock.monotonicMs() }, this.#deps.random)
        : retry,
    );
    this.#queue.schedule(peerId, this.#deps.clock.monotonicMs());`,
  },
  {
    name: "old-failures-block-a-new-address",
    what: "Failures at the old address delay the first attempt at the new one.",
    file: "src/reconciler/retries.ts",
    find: "return memory?.generation === generation ? memory.retry : FRESH;",
    replace: "return memory?.retry ?? FRESH;",
  },
  {
    name: "backoff-reset-on-connect",
    what: "A stream that was open for a moment resets the count of failures: two flapping peers hammer each other.",
    file: "src/reconciler/backoff.ts",
    find: 'return { state: "established", run: run && { ...run, onProbation: false }, sinceMs: nowMs };',
    replace: 'return { state: "established", run: run && null, sinceMs: nowMs };',
  },
  {
    name: "backoff-without-cap",
    what: "The wait doubles without limit: a peer that was away for an hour is retried an hour later.",
    file: "src/reconciler/backoff.ts",
    find: "return Math.min(capMs(run, nowMs), doubledMs, Math.max(FIRST_RETRY_MS, nowMs - run.sinceMs));",
    replace: "return Math.max(doubledMs, nowMs - run.sinceMs);",
  },
  {
    name: "refused-retried-like-a-timeout",
    what: "A peer that refuses us is retried at once, again and again.",
    file: "src/reconciler/backoff.ts",
    find: "notBeforeMs: failedAtMs + Math.max(drawnMs, leastMs), failure };",
    replace: "notBeforeMs: failedAtMs + Math.min(drawnMs, leastMs), failure };",
  },
  {
    name: "sign-of-life-ends-any-wait",
    what: "A peer that keeps connecting to us makes us dial at its pace.",
    file: "src/reconciler/backoff.ts",
    find: "return failedAtMs + Math.max(SIGN_OF_LIFE_LEAST_MS, leastMs);",
    replace: "return 0;",
  },
  {
    name: "dials-itself",
    what: "A record that names our own PeerID makes the daemon dial itself for ever.",
    file: "src/reconciler/decide.ts",
    find: 'return desired?.standing === "partner" && desired.peerId !== options.self;',
    replace: 'return desired?.standing === "partner";',
  },
  {
    name: "blacklisted-keeps-connection",
    what: "A blacklisted peer loses its streams but keeps its connections.",
    file: "src/reconciler/decide.ts",
    find: 'const dropConnections = desired.standing === "blacklisted";',
    replace: "const dropConnections = false;",
  },
];
