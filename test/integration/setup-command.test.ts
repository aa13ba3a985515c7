/** `oc-partnerd setup` as an operator runs it. */
import { connect } from "nats";
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
stream OC_PARTNERD_HEADS is missing and would be created
  keeps the newest 10000 heads of the log of each daemon
dry run: nothing was changed
`);
  expect((await setup()).stdout).toMatch(/^stream OC_RESOURCES was created$/m);
  expect((await setup()).stdout).toBe(`NATS server 127.0.0.1:${nats.port}
stream OC_RESOURCES is correct
  captures CREATE_RESOURCE, REMOVE_RESOURCE; keeps 1 GiB, any age, 1 replica
consumer oc-partnerd is correct
stream OC_PARTNERD_HEADS is correct
  keeps the newest 10000 heads of the log of each daemon
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
    heads: { name: "OC_PARTNERD_HEADS", action: "keep", problem: null },
  });

  const elsewhere = await runCommand(["setup", "--nats", nats.url, "--dry-run"], { env: { OCPARTNERD_NATS_STREAM: "OTHER" } });
  expect(elsewhere).toMatchObject({ code: 1, stderr: "" });
  expect(elsewhere.stdout).toMatch(/captured by stream OC_RESOURCES.*\n {4}next step: set nats.stream to OC_RESOURCES/);
});

test("setup repairs the stream of heads, and leaves it out where no heads are published", async () => {
  await using nats = await NatsServer.start({ jetStream: true });
  const client = await connect({ servers: nats.url });
  const { streams } = await client.jetstreamManager();
  const setup = (env = {}) => runCommand(["setup", "--nats", nats.url], { env });
  expect((await setup({ OCPARTNERD_NATS_HEADS: "off" })).stdout).not.toContain("HEADS");
  await streams.add({ name: "OC_PARTNERD_HEADS", subjects: ["x"], max_msgs_per_subject: 5 });
  expect((await setup()).stdout).toContain("stream OC_PARTNERD_HEADS was updated");
  expect((await streams.info("OC_PARTNERD_HEADS")).config).toMatchObject({
    subjects: ["x", "oc-partnerd.heads.*"],
    deny_delete: true,
    deny_purge: true,
    max_msgs_per_subject: 5,
  });
  await client.close();
});

test("a stream that captures the subjects of heads is named, and fails nothing", async () => {
  await using nats = await NatsServer.start({ jetStream: true });
  const client = await connect({ servers: nats.url });
  const { streams } = await client.jetstreamManager();
  await streams.add({ name: "OC_RESOURCES", subjects: ["oc-partnerd.>", "CREATE_RESOURCE", "REMOVE_RESOURCE"] });
  const setup = await runCommand(["setup", "--nats", nats.url]);
  expect(setup).toMatchObject({ code: 0, stderr: "" });
  expect(setup.stdout).toMatch(/stream OC_PARTNERD_HEADS is not set up.*\n.*subjects overlap/);
  await client.close();
});

test("setup reports if there is no JetStream, or no server", async () => {
  await using nats = await NatsServer.start();
  expectFailure(await runCommand(["setup", "--nats", nats.url]), 69, ["JetStream", "nats.mode to core"]);
  expectFailure(await runCommand(["setup", "--nats", "nats://127.0.0.1:9"]), 69, ["127.0.0.1:9"]);
  expectFailure(await runCommand(["setup", "--max-bytes", "much"]), 64, ["--max-bytes", '"much"']);
});
