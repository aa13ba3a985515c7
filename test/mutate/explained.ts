/**
 * Survivors that are right to survive, each with the reason. An explanation holds for the mutants of one operator on one line, which is named
 * by its text, so that it moves with the line and goes stale with its words.
 */
import type { Operator } from "./operators/site.ts";

export interface Explanation {
  readonly path: string;
  readonly operator: Operator;
  /** The text of the line, without the blanks around it. */
  readonly line: string;
  /** Only mutants with this change; without it, all mutants of the operator on that line. */
  readonly change?: string;
  /**
   * `equivalent`: no input can tell the mutant from the program, so it does not count. `accepted`: a test could tell, and the reason says why
   * there is none; it counts as a survivor.
   */
  readonly kind: "equivalent" | "accepted";
  readonly why: string;
}

const NEVER_ABORTED = "The signal is one that never aborts already.";

export const EXPLAINED: readonly Explanation[] = [
  {
    path: "src/daemon/daemon.ts",
    operator: "missing-abort",
    line: "signal: new AbortController().signal,",
    kind: "equivalent",
    why: NEVER_ABORTED,
  },
  {
    path: "src/daemon/log/change-identity.ts",
    operator: "missing-abort",
    line: "await verifyLog({ directory: data, signal: new AbortController().signal });",
    kind: "equivalent",
    why: NEVER_ABORTED,
  },
  {
    path: "src/daemon/rows/suppressed-events.ts",
    operator: "off-by-one",
    line: "#leastPeers = 0;",
    kind: "equivalent",
    why: "A summary has at least one event, and so at least one peer.",
  },
  {
    path: "src/reconciler/actions.ts",
    operator: "off-by-one",
    line: "const expiresAtMs = this.#streams.actual(peerId).outbound?.expiresAtMs ?? 0;",
    kind: "equivalent",
    why: "Only a peer with an outbound stream is renewed, so the default is never used.",
  },
  {
    path: "src/ingest/ingest.ts",
    operator: "boundary",
    line: "for (const { position } of batch) if (position !== undefined && position.sequence > (newest?.sequence ?? 0)) newest = position;",
    kind: "equivalent",
    why: "Two messages of a batch with the same sequence of the stream are the same message, so either position will do.",
  },
  {
    path: "src/ingest/stream/align-log.ts",
    operator: "off-by-one",
    line: 'const rollbacks = ofStream.slice(rewound + 1).filter((event) => event.type === "LogRolledBack");',
    kind: "equivalent",
    why: "The first event of a stream, and the one after a rewind, is always its DeliveryChanged.",
  },
  {
    path: "src/ingest/stream/contest.ts",
    operator: "off-by-one",
    line: "return this.isTaken(found) && (found?.waitingRequests ?? 0) > 0 && nowMs - this.#takenMs < YIELD_MS;",
    change: "0 becomes 1",
    kind: "equivalent",
    why: "A consumer that is taken was found, so the default is never used; the other constant is covered by tests.",
  },
  {
    path: "src/ingest/stream/pull-window.ts",
    operator: "off-by-one",
    line: "#passed = 0;",
    kind: "equivalent",
    why: "The first window is the largest, and a failure counts from 0 again.",
  },
  {
    path: "src/daemon/heads/head-keeper.ts",
    operator: "off-by-one",
    line: "await abortable(heads.publish(message, 2 * withinMs), limit.signal);",
    kind: "equivalent",
    why: "Our own deadline comes first, so a later one of the client is not seen.",
  },
  {
    path: "src/ingest/stream/reader.ts",
    operator: "swapped-reason",
    line: 'const STOPPED: Restart = { reason: "stopped" };',
    kind: "equivalent",
    why: "A reading that ends because the daemon stops is not logged, and both reasons count as ordered.",
  },
  {
    path: "src/ingest/stream/reader.ts",
    operator: "swapped-reason",
    line: 'void link.closed().then(() => this.#interrupt?.({ reason: "connection_closed" }));',
    kind: "equivalent",
    why: "A reading whose connection has closed is not restarted on it, so the reason is not logged, and both count as ordered.",
  },
  {
    path: "src/p2p/budgets/connection-pool.ts",
    operator: "off-by-one",
    line: "const left = (this.#sizeOfGroup.get(member.group) ?? 0) - 1;",
    change: "0 becomes 1",
    kind: "equivalent",
    why: "The group of a member is always counted, so the default is never used.",
  },
  {
    path: "src/p2p/budgets/connection-pool.ts",
    operator: "off-by-one",
    line: "const order = [memberRank, -(this.#sizeOfGroup.get(member.group) ?? 0), member.since];",
    kind: "equivalent",
    why: "The group of a member is always counted, so the default is never used.",
  },
  {
    path: "src/p2p/budgets/connection-pool.ts",
    operator: "off-by-one",
    line: "const difference = value - (other[index] ?? 0);",
    kind: "equivalent",
    why: "Both orders have three numbers, so the default is never used.",
  },
  {
    path: "src/p2p/budgets/connection-pool.ts",
    operator: "boundary",
    line: "if (difference !== 0) return difference < 0;",
    kind: "equivalent",
    why: "The difference is not 0 there.",
  },
  {
    path: "src/p2p/budgets/connection-table.ts",
    operator: "off-by-one",
    line: "if (!this.#strangers.isFull || this.#evict(this.#strangers.leastValuable((place) => (place.isBusy() ? undefined : 0))))",
    kind: "equivalent",
    why: "All members that may yield have the same rank, whichever it is.",
  },
  {
    path: "src/p2p/budgets/connection-table.ts",
    operator: "off-by-one",
    line: "this.#strangers.leastValuable((place) => (place.isBusy() ? (forPartner ? 1 : undefined) : 0)) ??",
    change: "1 becomes 2",
    kind: "equivalent",
    why: "There are two ranks, and only their order counts.",
  },
  {
    path: "src/p2p/budgets/connection-table.ts",
    operator: "off-by-one",
    line: "return nowMs - place.since > HANDSHAKE_GRACE_MS ? 1 : undefined;",
    kind: "equivalent",
    why: "There are two ranks, and only their order counts.",
  },
  {
    path: "src/p2p/handshake/first-bytes.ts",
    operator: "off-by-one",
    line: "function isTls([type = 0, major, minor = 0, , last]: Uint8Array): boolean {",
    kind: "equivalent",
    why: "The defaults are those of bytes that are missing, and fewer than five bytes are never a record of TLS.",
  },
  {
    path: "src/p2p/wire/codec.ts",
    operator: "off-by-one",
    line: "const byte = chunk[at] ?? 0;",
    kind: "equivalent",
    why: "The position is within the chunk, so the default is never used.",
  },
  {
    path: "src/store/log-reader.ts",
    operator: "off-by-one",
    line: "return this.#orm.select({ rows: count() }).from(eventLog).where(within(window)).get()?.rows ?? 0;",
    kind: "equivalent",
    why: "A count always has a row, so the default is never used.",
  },
  {
    path: "src/store/archive/archive-plan.ts",
    operator: "off-by-one",
    line: "const bytes = database.prepare<[], number>(query).pluck().get() ?? 0;",
    kind: "equivalent",
    why: "A sum always has a row, so the default is never used.",
  },
  {
    path: "src/store/archive/archive-plan.ts",
    operator: "off-by-one",
    line: "const all = (rows.head()?.seq ?? 0) - firstSeq + 1;",
    change: "0 becomes 1",
    kind: "equivalent",
    why: "A log of which a part is to be archived has a newest row, so the default is never used.",
  },
  {
    path: "src/store/archive/archive.ts",
    operator: "off-by-one",
    line: "return this.#database.prepare<[], number>(query).pluck().get() ?? 0;",
    kind: "equivalent",
    why: "A count always has a row, so the default is never used.",
  },
  {
    path: "src/store/archive/rebuilt-database.ts",
    operator: "off-by-one",
    line: "const headSeq = () => rows.head()?.seq ?? 0;",
    kind: "equivalent",
    why: "Reading an empty log up to its first row finds nothing either.",
  },
  {
    path: "src/store/archive/rebuilt-database.ts",
    operator: "removed-call",
    line: "if (this.#batch.length >= ROWS_A_TRANSACTION) this.#flush();",
    kind: "accepted",
    why: "It only bounds the memory of rebuilding a large log.",
  },
  {
    path: "src/store/archive/remove-archived.ts",
    operator: "off-by-one",
    line: 'if (typeof first !== "number") return 0;',
    kind: "accepted",
    why: "Reached only if another process deletes the same rows between two statements.",
  },
  {
    path: "src/store/check/at-start/start-check.ts",
    operator: "off-by-one",
    line: "pass.readTo(highestSeq(database) ?? 0);",
    kind: "equivalent",
    why: "Reading an empty log up to its first row finds nothing either.",
  },
];
