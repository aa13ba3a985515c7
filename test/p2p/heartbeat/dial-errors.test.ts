/** The reason of a failed dial, from the error codes of the system. */
import { expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { dialError, dialErrors } from "../../../src/p2p/heartbeat/open-errors.ts";

const failed = (code: string) => Object.assign(new Error("in any words"), { code });

test.each([
  ["ECONNREFUSED", "connection_refused"],
  ["EHOSTUNREACH", "unreachable"],
  ["ENETUNREACH", "unreachable"],
  ["ENETDOWN", "unreachable"],
  ["ETIMEDOUT", "timeout"],
  ["ECONNRESET", "dial_failed"],
  ["EMFILE", "dial_failed"],
  ["OF_A_LIBRARY", "dial_failed"],
])("a dial that fails with %s is %s", (code, reason) => {
  expect(dialError(failed(code)).code).toBe(reason);
  expect(dialError(new AggregateError([failed(code), failed("ECONNRESET")])).code).toBe(reason);
});

test.each(["name_unresolved", "connection_refused", "unreachable", "timeout", "dial_failed"] as const)(
  "of several addresses, %s is retried sooner than a wrong identity",
  (code) => {
    const failures = [new PartnerdError("identity_mismatch", "other"), new PartnerdError(code, "none")];
    expect(dialErrors(failures).code).toBe(code);
  },
);
