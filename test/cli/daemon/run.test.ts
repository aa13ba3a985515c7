import { EventEmitter } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { reportStrayRejections } from "../../../src/cli/daemon/run.ts";
import { complainingLogger } from "../../../src/cli/terminal/output.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

test("an unhandled rejection is logged with its stack, until disposed", () => {
  const process = new EventEmitter();
  const logger = new RecordingLogger();
  const logging = reportStrayRejections(process, logger);
  process.emit("unhandledRejection", new Error("connection reset"));
  expect(logger.lines).toMatchObject([
    { level: "error", message: "internal error", fields: { part: "process", error: "connection reset" } },
  ]);
  expect(JSON.stringify(logger.lines)).toContain("run.test.ts");
  logging[Symbol.dispose]();
  expect(process.listenerCount("unhandledRejection")).toBe(0);
});

test("in a command, an unhandled rejection is shown on standard error with its stack", () => {
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(() => written.mockRestore());
  const emitter = new EventEmitter();
  using _rejections = reportStrayRejections(emitter, complainingLogger);
  emitter.emit("unhandledRejection", new TypeError("\u001b[2Jno such step"));
  expect(written.mock.calls.join("")).toMatch(/^oc-partnerd: internal error: .*no such step\n.*run\.test\.ts/s);
  expect(written.mock.calls.join("")).not.toContain("\u001b");
});
