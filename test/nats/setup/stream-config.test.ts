import { DiscardPolicy, nanos } from "nats";
import { expect, it } from "vitest";
import { ageText, limitsOf, limitsText, sizeText, streamRefusal } from "../../../src/nats/setup/stream-config.ts";

it("JetStream's spellings of unlimited are equivalent", () => {
  const none = {
    maxBytes: null,
    maxAgeMs: null,
    maxMessages: null,
    maxMessagesPerSubject: null,
    maxMessageBytes: null,
    replicas: 1,
  };
  expect(limitsOf({ max_bytes: -1, max_age: 0, max_msgs: -1, max_msgs_per_subject: 0, num_replicas: 1 })).toEqual(none);
  expect(limitsText(none)).toBe("any size, any age, 1 replica");
});

it("every limit is shown", () => {
  const sizes = { max_bytes: 4_096, max_msg_size: 100 };
  const config = { ...sizes, max_age: nanos(90_000), max_msgs: 10, max_msgs_per_subject: 5, num_replicas: 3 };
  expect(limitsText(limitsOf(config))).toBe(
    "4 KiB, 90 s, at most 10 messages, at most 5 messages of a subject, messages of at most 100 bytes, 3 replicas",
  );
});

const NEW = { discard: DiscardPolicy.New } as const;
it.each([
  [{ sealed: true }, 0, 0, "sealed"],
  [{ ...NEW, max_msgs: 3 }, 3, 30, expect.stringContaining("full")],
  [{ ...NEW, max_bytes: 40 }, 3, 30, expect.stringContaining("full")],
  [{ ...NEW, max_msgs: 3, max_bytes: 41 }, 2, 20, undefined],
  [{ ...NEW, max_msgs: -1, max_bytes: -1 }, 9, 90, undefined],
  [{ ...NEW, max_bytes: 10 }, 0, 0, undefined],
  [{ discard: DiscardPolicy.Old, max_msgs: 3, max_bytes: 40 }, 3, 40, undefined],
])("a stream of %o with %i messages of %i bytes is %o", (config, messages, bytes, refusal) => {
  expect(streamRefusal(config, { messages, bytes })).toEqual(refusal);
});

it("sizes and ages use the largest exact unit", () => {
  expect([1_073_741_824, 1_048_577, 1_536 * 1_024].map(sizeText)).toEqual(["1 GiB", "1048577 bytes", "1536 KiB"]);
  expect([90 * 86_400_000, 5_400_000, 1_500].map(ageText)).toEqual(["90 d", "90 min", "1500 ms"]);
});
