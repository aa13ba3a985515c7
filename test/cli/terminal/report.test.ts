import { afterEach, describe, expect, test, vi } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { isDebug, report } from "../../../src/cli/terminal/report.ts";

describe("report", () => {
  const { exitCode } = process;
  afterEach(() => {
    process.exitCode = exitCode;
    vi.restoreAllMocks();
  });

  function reported(thrown: unknown, withStack: boolean): { readonly text: string; readonly code: unknown } {
    let text = "";
    vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
      text += String(chunk);
      return true;
    });
    report(thrown, { withStack });
    vi.restoreAllMocks();
    return { text, code: process.exitCode };
  }

  const bug = new TypeError("peer is undefined", { cause: new Error("the cause") });

  test("says of an internal error how to see its stack", () => {
    expect(reported(bug, false)).toEqual({
      code: 1,
      text: "oc-partnerd: internal error: peer is undefined\n  next step: set OCPARTNERD_DEBUG=1 to see the stack, and report this bug\n",
    });
  });

  test("prints the stack and the cause of an internal error when debugging", () => {
    const { text } = reported(bug, true);
    expect(text).toMatch(
      /^oc-partnerd: internal error: peer is undefined\nTypeError: peer is undefined\n +at .*report\.test\.ts/,
    );
    expect(text).toContain("[cause]: Error: the cause");
  });

  test("never prints the stack of an error that is not a bug", () => {
    const error = new PartnerdError("port_taken", "port 4012 is in use", { nextStep: "choose another" });
    expect(reported(error, true)).toEqual({
      code: 69,
      text: "oc-partnerd: port 4012 is in use\n  next step: choose another\n",
    });
  });

  test.each(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"])("reports %s in one line", (code) => {
    const { text, code: exit } = reported(Object.assign(new Error("Cannot find 'x'\nRequire stack:"), { code }), false);
    expect(exit).toBe(69);
    expect(text).toMatch(/^oc-partnerd: cannot load a package \(Cannot find 'x'\); run 'sh \S+\/scripts\/bootstrap'.*\n$/);
  });
});

describe("debugging is", () => {
  test.each([
    [["run", "--log-level", "debug"], {}],
    [["run", "--log-level=debug"], {}],
    [["status"], { OCPARTNERD_LOG_LEVEL: "debug" }],
    [["status"], { OCPARTNERD_DEBUG: "1" }],
  ])("on for %j with %j", (argv, env) => expect(isDebug(argv, env)).toBe(true));

  test.each([
    [["debug"], {}],
    [["run", "--log-level", "info"], {}],
    [["run"], { OCPARTNERD_DEBUG: "0" }],
    [["run"], { OCPARTNERD_DEBUG: "" }],
    [["run"], { OCPARTNERD_LOG_LEVEL: "info" }],
  ])("off for %j with %j", (argv, env) => expect(isDebug(argv, env)).toBe(false));
});
