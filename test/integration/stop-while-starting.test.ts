/** SIGTERM before the daemon is ready: it stops like any other, and the log says so. */
import { expect, test } from "vitest";
import { DaemonProcess } from "../support/daemon-process.ts";

const START = "select count(*) from event_log where type = 'DaemonStarted'";

test("a daemon that is stopped as soon as its start is in the log records the stop", async () => {
  await using daemon = await DaemonProcess.start({ until: "nothing" });
  await daemon.until("the start is in the log", () => {
    try {
      return daemon.count(START) === 1;
    } catch {
      return false; // No database yet.
    }
  });
  expect(await daemon.stop()).toEqual({ code: 0, signal: null });
  expect(daemon.sql("select type from event_log order by seq desc limit 1")).toEqual([{ type: "DaemonStopped" }]);
  expect(daemon.sql("select count(*) as open from runs where stopped_seq is null")).toEqual([{ open: 0 }]);
});
