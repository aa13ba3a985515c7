/** Bugs in reading a broker's stream into the log. */
import type { Plant } from "./plant.ts";

export const INGEST_PLANTS: readonly Plant[] = [
  {
    name: "acknowledged-as-received",
    what: "The newest message that was received is acknowledged, not the newest that was taken: a crash loses what is in the buffer.",
    file: "src/ingest/stream/stream-reading.ts",
    find: "acknowledge: () => this.#isTaken(message),",
    replace: 'acknowledge: (Reflect.set(this.#init, "newest", message), () => this.#isTaken(Reflect.get(this.#init, "newest"))),',
  },
  {
    name: "cursor-outside-the-transaction",
    what: "The cursor moves before what it counts for is committed: a crash in between, and those messages are never read.",
    file: "src/store/store.ts",
    find: 'runner.write("append received events", () => deliveries.received(batch, position)),',
    replace: `{
      const before = committed.cursor;
      if (position !== undefined && before !== undefined && position.sequence > before.sequence)
        runner.run("move the cursor", () => [rows, committed].forEach((each) => each.setCursor({ ...before, ...position })));
      return runner.write("append received events", () => deliveries.received(batch, undefined));
    },`,
  },
  {
    name: "consumer-kept-although-deliveries-are-pending",
    what: "A consumer that has delivered more than the log has got is read on: what was on its way comes late, out of order.",
    file: "src/ingest/stream/align.ts",
    find: "return next === sequence + 1 && unacknowledged === 0 &&",
    replace: "return next >= sequence + 1 &&",
  },
  {
    name: "request-of-a-dead-connection-left",
    what: "The broker still believes in the connection before, and gives what comes next to nobody.",
    file: "src/ingest/stream/align.ts",
    find: "&& waitingRequests === 0 &&",
    replace: "&&",
  },
  {
    name: "gap-not-recorded",
    what: "Messages that the stream has lost are passed over in silence.",
    file: "src/ingest/stream/stream-reading.ts",
    find: "const gap = sequence > this.#sequence + 1 ?",
    replace: "const gap = Number.isNaN(sequence) ?",
  },
  {
    name: "delivery-number-not-checked",
    what: "A delivery that was lost on its way is taken for a message that the stream has lost.",
    file: "src/ingest/stream/stream-reading.ts",
    find: "if (position.consumerSequence !== this.#consumerSequence)",
    replace: "if (Number.isNaN(position.consumerSequence))",
  },
  {
    name: "buffer-not-discarded",
    what: "What was buffered when reading begins anew is taken all the same, into whatever stream there is now.",
    file: "src/ingest/stream/reader.ts",
    find: "buffer.discard();",
    replace: "",
  },
  {
    name: "silence-not-noticed",
    what: "A connection on which nothing passes any more is waited on for ever.",
    file: "src/ingest/stream/pull.ts",
    find: "if (this.isPulling && clock.monotonicMs() - this.#heardAtMs > SILENT_MS)",
    replace: "if (Number.isNaN(this.#heardAtMs))",
  },
  {
    name: "set-back-not-noticed",
    what: "A stream that was set back gives sequences a second time, and what they hold now is not read.",
    file: "src/ingest/stream/align.ts",
    find: 'if (stream.lastSequence < cursor.sequence || atCursor === "other") {',
    replace: "if (stream.lastSequence < 0) {",
  },
  {
    name: "recreation-while-placing-not-noticed",
    what: "A stream that is made anew between the look at it and the placing of the consumer is read from its middle, as the one before.",
    file: "src/ingest/stream/reader.ts",
    find: "!isSameStream(await link.state(), found)",
    replace: "Number.isNaN(found.lastSequence)",
  },
  {
    name: "recreation-not-noticed",
    what: "A stream that was made anew is taken for the one before, and its first messages for those that the log has.",
    file: "src/ingest/stream/align.ts",
    find: "if (!isSameStream(stream, cursor)) {",
    replace: "if (stream.stream !== cursor.stream) {",
  },
];
