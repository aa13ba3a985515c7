import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { logStrayRejections } from "../../../src/cli/daemon/run.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

test("an unhandled rejection is logged with its stack, until disposed", () => {
  const process = new EventEmitter();
  const logger = new RecordingLogger();
  const logging = logStrayRejections(process, logger);
  process.emit("unhandledRejection", new Error("connection reset"));
  expect(logger.lines).toMatchObject([{ level: "error", fields: { error: "connection reset" } }]);
  expect(JSON.stringify(logger.lines)).toContain("run.test.ts");
  logging[Symbol.dispose]();
  expect(process.listenerCount("unhandledRejection")).toBe(0);
});
