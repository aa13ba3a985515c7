/** `oc-partnerd setup` as an operator runs it. */
import { expect, test } from "vitest";
import { NatsServer } from "../support/nats-server.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

test("setup plans and creates the stream and consumer, and then finds them correct", async () => {
  await using nats = await NatsServer.start({ jetStream: true });
  const setup = (...flags: string[]) => runCommand(["setup", "--nats", nats.url, ...flags]);

  const planned = await setup("--dry-run");
  expect(planned).toMatchObject({ code: 0, stderr: "" });
  expect(planned.stdout).toBe(`NATS server 127.0.0.1:${nats.port}
stream OC_RESOURCES is missing and would be created
  captures CREATE_RESOURCE, REMOVE_RESOURCE; keeps 1 GiB, any age, 1 replica
consumer oc-partnerd is missing and would be created
dry run: nothing was changed
`);
  expect((await setup()).stdout).toMatch(/^stream OC_RESOURCES was created$/m);
  expect((await setup()).stdout).toBe(`NATS server 127.0.0.1:${nats.port}
stream OC_RESOURCES is correct
  captures CREATE_RESOURCE, REMOVE_RESOURCE; keeps 1 GiB, any age, 1 replica
consumer oc-partnerd is correct
`);

  const narrowed = await setup("--json", "--max-bytes", "512MiB", "--max-age", "90d");
  expect(JSON.parse(narrowed.stdout)).toMatchObject({
    server: `127.0.0.1:${nats.port}`,
    outcome: "done",
    stream: {
      action: "update",
      changes: [
        { field: "max_bytes", found: "1 GiB", required: "512 MiB" },
        { field: "max_age", found: "any age", required: "90 d" },
      ],
      limits: { maxBytes: 512 * 1_024 ** 2, maxAgeMs: 90 * 86_400_000 },
    },
    consumer: { action: "keep" },
  });

  const elsewhere = await runCommand(["setup", "--nats", nats.url, "--dry-run"], { env: { OCPARTNERD_NATS_STREAM: "OTHER" } });
  expect(elsewhere).toMatchObject({ code: 1, stderr: "" });
  expect(elsewhere.stdout).toMatch(/captured by stream OC_RESOURCES.*\n {4}next step: set nats.stream to OC_RESOURCES/);
});

test("setup reports if there is no JetStream, or no server", async () => {
  await using nats = await NatsServer.start();
  expectFailure(await runCommand(["setup", "--nats", nats.url]), 69, ["JetStream", "nats.mode to core"]);
  expectFailure(await runCommand(["setup", "--nats", "nats://127.0.0.1:9"]), 69, ["127.0.0.1:9"]);
  expectFailure(await runCommand(["setup", "--max-bytes", "much"]), 64, ["--max-bytes", '"much"']);
});
