import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { reportStrayRejections } from "../../../src/cli/daemon/run.ts";
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
