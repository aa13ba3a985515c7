import { expect, test } from "vitest";
import { DaemonProcess } from "../support/daemon-process.ts";

test("a daemon whose namespace has a Service called ocpartnerd starts, and names the variables that it ignores once", async () => {
  const env = { OCPARTNERD_PORT: "tcp://10.96.14.3:4001", OCPARTNERD_SERVICE_HOST: "10.96.14.3" };
  await using daemon = await DaemonProcess.start({ config: { nats: { url: "nats://127.0.0.1:9" } }, env, until: "started" });
  const lines = daemon.logLines().filter(({ variables }) => variables !== undefined);
  expect(lines).toMatchObject([{ level: "warn", variables: ["OCPARTNERD_PORT", "OCPARTNERD_SERVICE_HOST"] }]);
});
