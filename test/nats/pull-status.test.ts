import { expect, it } from "vitest";
import { pullStatusOf } from "../../src/nats/pull-status.ts";

it.each([
  [100, "Idle Heartbeat", { kind: "alive" }],
  [404, "No Messages", { kind: "over" }],
  [408, "Request Timeout", { kind: "over" }],
  [409, "Consumer Deleted", { kind: "consumer_deleted" }],
  [409, "Exceeded MaxWaiting", { kind: "refused", code: 409, description: "Exceeded MaxWaiting" }],
  [400, "Consumer Deleted", { kind: "refused", code: 400, description: "Consumer Deleted" }],
  [503, "", { kind: "no_responders" }],
  [0, "", { kind: "refused", code: 0, description: "" }],
])("%d %s is told apart", (code, description, expected) => {
  expect(pullStatusOf(code, description)).toEqual(expected);
});
