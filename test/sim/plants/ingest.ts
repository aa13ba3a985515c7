/** Bugs in reading a broker stream into the log. */
import type { Plant } from "./plant.ts";

export const INGEST_PLANTS: readonly Plant[] = [
  {
    name: "acknowledged-as-received",
    what: "The newest received message is acknowledged, not the newest logged one: a crash loses the buffered messages.",
    file: "src/ingest/stream/stream-reading.ts",
    find: "acknowledge: () => this.#isTaken(message, position),",
    replace:
      'acknowledge: (Reflect.set(this.#init, "newest", message), () => this.#isTaken(Reflect.get(this.#init, "newest"), position)),',
  },
  {
    name: "redelivery-moves-the-cursor-back",
    what: "The cursor moves to the last message of a batch, although the broker redelivered an older one behind it: reading stops for good.",
    file: "src/ingest/ingest.ts",
    find: "position.sequence > (newest?.sequence ?? 0)",
    replace: "true",
  },
  {
    name: "cursor-outside-the-transaction",
    what: "The cursor moves before the messages that it covers are committed: a crash in between, and they are never read.",
    file: "src/store/store.ts",
    find: 'writer.write("append received events", () => deliveries.received(batch, position)),',
    replace: `{
      const before = committed.cursor;
      if (position !== undefined && before !== undefined && position.sequence > before.sequence)
        runner.run("move the cursor", () => [rows, committed].forEach((each) => each.setCursor({ ...before, ...position })));
      return writer.write("append received events", () => deliveries.received(batch, undefined));
    },`,
  },
  {
    name: "request-of-a-dead-connection-left",
    what: "The broker still serves a request of the previous, dead connection: the next message goes nowhere.",
    file: "src/ingest/stream/align.ts",
    find: "&& waitingRequests === 0 &&",
    replace: "&&",
  },
  {
    name: "gap-not-recorded",
    what: "Messages that the stream lost are skipped without a record.",
    file: "src/ingest/stream/stream-reading.ts",
    find: "const gaps = sequence > this.#sequence + 1 ?",
    replace: "const gaps = Number.isNaN(sequence) ?",
  },
  {
    name: "stale-answer-believed",
    what: "A new leader that lags is believed at once: its stream is recorded as rewound, and read again from its start.",
    file: "src/ingest/stream/stale-answer.ts",
    find: "if (looks + 1 >= BELIEVED_LOOKS && look.askedMs",
    replace: "if (looks >= 0 || look.askedMs",
  },
  {
    name: "gaps-not-proven",
    what: "Neither the number of a delivery nor the stream is consulted: one lost on the way is mistaken for a message that the stream lost.",
    file: "src/ingest/stream/stream-reading.ts",
    find: `if (consumerSequence !== this.#consumerSequence) return outOfOrder(consumerSequence, this.#consumerSequence);
    const next = this.#delivered + 1;`,
    replace: "const next = streamSequence;",
  },
  {
    name: "buffer-not-discarded",
    what: "Messages that are still buffered when reading restarts are kept and counted towards the new stream.",
    file: "src/ingest/stream/reader.ts",
    find: "buffer.discard();",
    replace: "",
  },
  {
    name: "silence-not-noticed",
    what: "The reader waits for ever on a connection that carries nothing any more.",
    file: "src/ingest/stream/pull.ts",
    find: "if (this.isPulling && clock.monotonicMs() - this.#heardAtMs > SILENT_MS)",
    replace: "if (Number.isNaN(this.#heardAtMs))",
  },
  {
    name: "set-back-not-noticed",
    what: "A rewound stream reuses sequences, and the messages that they now hold are not read.",
    file: "src/ingest/stream/align.ts",
    find: 'if (isBehind(stream, cursor) || evidence.known === "other") {',
    replace: "if (stream.lastSequence < 0) {",
  },
  {
    name: "recreation-while-placing-not-noticed",
    what: "A stream that is recreated between the look at it and the placing of the consumer is read from its middle, as if it were the old one.",
    file: "src/ingest/stream/reader.ts",
    find: "!isInPlace && !isSameStream(await link.state(), found)",
    replace: "Number.isNaN(found.lastSequence)",
  },
  {
    name: "recreation-while-comparing-not-noticed",
    what: "A stream that is recreated while its messages are compared with the log is recorded as one that was rewound.",
    file: "src/ingest/stream/reader.ts",
    find: 'const isProven = known === "same" ||',
    replace: 'const isProven = known !== "unknown" ||',
  },
  {
    name: "leader-change-while-comparing-not-noticed",
    what: "A leader that has not caught up is asked about messages that its predecessor told of, and the log says that nothing is left of them.",
    file: "src/ingest/stream/reader.ts",
    find: 'const isProven = known === "same" ||',
    replace: 'const isProven = known !== "other" ||',
  },
  {
    name: "rollback-not-noticed",
    what: "The data directory is replaced by an older copy, and the log does not say that it had more.",
    file: "src/ingest/stream/align.ts",
    find: "const rolledBack = acknowledged > cursor.sequence ?",
    replace: "const rolledBack = Number.isNaN(acknowledged) ?",
  },
  {
    name: "clone-not-noticed",
    what: "A clone of the daemon takes its consumer, and the log does not say so: the two take it from each other for ever.",
    file: "src/ingest/stream/contest.ts",
    find: 'return { type: "CloneSeen", reason: this.#evidence, details: { otherRun: other.run } };',
    replace: "return null;",
  },
  {
    name: "recreation-not-noticed",
    what: "A recreated stream is mistaken for the old one, and its first messages for those that the log has.",
    file: "src/ingest/stream/align.ts",
    find: "if (!isSameStream(stream, cursor)) {",
    replace: "if (stream.stream !== cursor.stream) {",
  },
];
