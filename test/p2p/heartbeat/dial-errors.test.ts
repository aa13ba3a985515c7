/** The reasons of failed dials and streams, from the error codes of the system and the names of libp2p. */
import { describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { abortError, dialError, dialErrors, streamError } from "../../../src/p2p/heartbeat/open-errors.ts";
import { fakeConnection } from "../../support/fake-stream.ts";

const named = (name: string) => Object.assign(new Error("in any words"), { name });
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

test.each(["TimeoutError", "AbortError"])("a %s that is not ours is a timeout of libp2p", (name) => {
  expect(dialError(named(name)).code).toBe("timeout");
  expect(streamError(named(name), "/p", fakeConnection(), undefined).code).toBe("timeout");
});

describe("a stream that does not open tells how the far end ended it", () => {
  test.each([
    ["StreamResetError", "open", "reset"],
    ["UnexpectedEOFError", "open", "remote_closed"],
    ["StreamResetError", "closed", "connection_lost"],
    ["Error", "open", undefined],
  ] as const)("%s on a connection that is %s: %s", (name, status, remoteEnd) => {
    const error = streamError(named(name), "/p", fakeConnection({ status }), undefined);
    expect(error).toMatchObject({ code: "refused", details: { remoteEnd } });
  });
});

test.each([
  ["TimeoutError", "timeout"],
  ["AbortError", "aborted"],
])("a signal that aborts with a foreign %s is %s", (name, code) => {
  expect(abortError(AbortSignal.abort(named(name))).code).toBe(code);
});
