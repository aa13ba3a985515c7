import { describe, expect, it } from "vitest";
import { isFault, isSameFailure, PartnerdError, stackOf, toPartnerdError } from "../../src/base/errors.ts";

const socketError = (code: string) => Object.assign(new Error(`connect ${code}`), { code });

describe("a fault of our own", () => {
  it.each([
    new TypeError("x is not a function"),
    new RangeError("Invalid array length"),
    new ReferenceError("x is not defined"),
    new SyntaxError("Unexpected token"),
    new AggregateError([socketError("ECONNREFUSED"), new TypeError("x is not a function")]),
  ])("is internal_error, whatever the caller expected to fail: %s", (fault) => {
    expect(isFault(fault)).toBe(true);
    const error = toPartnerdError(fault, "dial_failed");
    expect(error).toMatchObject({ code: "internal_error", cause: fault });
    expect(isFault(error)).toBe(true);
    expect(stackOf(error)).toBe(fault.stack);
  });

  it.each([socketError("ECONNREFUSED"), new AggregateError([socketError("ENOENT")]), new Error("said a library"), "text"])(
    "is not %s",
    (failure) => {
      expect(isFault(failure)).toBe(false);
      expect(toPartnerdError(failure, "dial_failed").code).toBe("dial_failed");
    },
  );

  it("is not a PartnerdError of another code", () => {
    const error = new PartnerdError("dial_failed", "no", { cause: new TypeError() });
    expect(isFault(error)).toBe(false);
    expect(toPartnerdError(error)).toBe(error);
  });
});

describe("two failures", () => {
  const failure = (message: string, details = {}, cause?: unknown) =>
    new PartnerdError("nats_unavailable", message, { details, cause });

  it("are the same where code, details and causes agree, whatever they say", () => {
    expect(isSameFailure(failure("one"), failure("other"))).toBe(true);
    expect(
      isSameFailure(failure("1", { server: "a:1" }, socketError("EPIPE")), failure("2", { server: "a:1" }, socketError("EPIPE"))),
    ).toBe(true);
    expect(isSameFailure(null, null)).toBe(true);
  });

  it.each([
    [failure("same"), null],
    [failure("same"), new PartnerdError("nats_denied", "same")],
    [failure("same", { server: "a:1" }), failure("same", { server: "b:1" })],
    [failure("same", {}, socketError("EPIPE")), failure("same", {}, socketError("ECONNRESET"))],
    [failure("same", {}, new Error("x", { cause: socketError("EPIPE") })), failure("same", {}, new Error("x"))],
  ])("differ in any of these", (one, other) => {
    expect(isSameFailure(one, other)).toBe(false);
    expect(isSameFailure(other, one)).toBe(false);
  });

  it("can be compared although a cause leads back to itself", () => {
    const loop = new Error("loop");
    loop.cause = loop;
    expect(isSameFailure(failure("one", {}, loop), failure("other", {}, loop))).toBe(true);
  });
});
