import { nanos } from "nats";
import { expect, it } from "vitest";
import { ageText, limitsOf, limitsText, sizeText } from "../../../src/nats/setup/stream-config.ts";

it("JetStream's spellings of unlimited are equivalent", () => {
  const none = { maxBytes: null, maxAgeMs: null, maxMessages: null, maxMessagesPerSubject: null, replicas: 1 };
  expect(limitsOf({ max_bytes: -1, max_age: 0, max_msgs: -1, max_msgs_per_subject: 0, num_replicas: 1 })).toEqual(none);
  expect(limitsText(none)).toBe("any size, any age, 1 replica");
});

it("every limit is shown", () => {
  const config = { max_bytes: 4_096, max_age: nanos(90_000), max_msgs: 10, max_msgs_per_subject: 5, num_replicas: 3 };
  expect(limitsText(limitsOf(config))).toBe("4 KiB, 90 s, at most 10 messages, at most 5 messages of a subject, 3 replicas");
});

it("sizes and ages use the largest exact unit", () => {
  expect([1_073_741_824, 1_048_577, 1_536 * 1_024].map(sizeText)).toEqual(["1 GiB", "1048577 bytes", "1536 KiB"]);
  expect([90 * 86_400_000, 5_400_000, 1_500].map(ageText)).toEqual(["90 d", "90 min", "1500 ms"]);
});
