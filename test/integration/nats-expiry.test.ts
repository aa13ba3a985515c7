/** NATS credentials that expire while the daemon runs, and are rotated. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { NatsOperator } from "../support/nats-operator.ts";
import { NatsServer } from "../support/nats-server.ts";

const inSeconds = (count: number) => Math.ceil(Date.now() / 1_000) + count;

test("expired credentials are named as the reason, and a new file is used without a restart", async () => {
  const operator = new NatsOperator();
  await using server = await NatsServer.start({ config: operator.config });
  using directory = temporaryDirectory();
  const credsFile = join(directory.path, "user.creds");
  writeFileSync(credsFile, operator.creds(inSeconds(3_600)), { mode: 0o600 });
  await using daemon = await DaemonProcess.start({ config: { nats: { url: server.url, credsFile } } });

  // The file has expired credentials before the server ends the session of the old ones, as after a forgotten rotation.
  const expiresAtS = inSeconds(1);
  const expired = operator.creds(expiresAtS);
  writeFileSync(credsFile, expired, { mode: 0o600 });
  await server.restart();
  const says = `the credentials in nats.credsFile "${credsFile}" expired at ${new Date(expiresAtS * 1_000).toISOString()}`;
  await daemon.until("not ready, with the reason", async () =>
    (await daemon.health("/readyz")).body.checks.some(({ ok, message }) => !ok && message.includes(says)),
  );
  expect((await daemon.health("/readyz")).status).toBe(503);
  await daemon.until("the reason is logged", () =>
    daemon.logLines().some(({ msg, reason }) => msg === "NATS connection problem" && String(reason).includes("expired at")),
  );

  writeFileSync(credsFile, operator.creds(inSeconds(3_600)), { mode: 0o600 });
  await daemon.until("ready again", async () => (await daemon.health("/readyz")).status === 200);
  expect(daemon.output).not.toContain(expired.split("\n")[1]);
});

test("the server ends a session whose credentials expire, and the log says why", async () => {
  const operator = new NatsOperator();
  await using server = await NatsServer.start({ config: operator.config });
  using directory = temporaryDirectory();
  const credsFile = join(directory.path, "user.creds");
  writeFileSync(credsFile, operator.creds(inSeconds(15)), { mode: 0o600 });
  await using daemon = await DaemonProcess.start({ config: { nats: { url: server.url, credsFile } } });
  writeFileSync(credsFile, operator.creds(inSeconds(3_600)), { mode: 0o600 });
  const lost = await daemon.until(
    "the session is lost",
    () => daemon.logLines().find(({ msg }) => msg === "lost connection to NATS"),
    30_000,
  );
  expect(lost).toMatchObject({ reason: "the credentials have expired" });
  const problems = daemon.logLines().filter(({ msg }) => msg === "NATS connection problem");
  expect(problems.map(({ reason }) => reason)).toEqual(["the credentials have expired"]);
  await daemon.until("ready again", async () => (await daemon.health("/readyz")).status === 200);
});
