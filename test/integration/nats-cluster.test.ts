/** JetStream on a cluster of which too few servers are up. */
import { connect } from "nats";
import { expect, it } from "vitest";
import { systemRandom } from "../../src/base/clock.ts";
import { toPartnerdError } from "../../src/base/errors.ts";
import { freePorts } from "../../src/demo/stage/stage.ts";
import { BrokerStreamApi } from "../../src/nats/broker-stream-api.ts";
import { NatsServer } from "../support/nats-server.ts";
import { until } from "../support/until.ts";

/** The configurations of three servers that know each other. */
async function clusterOfThree(): Promise<readonly [string, string, string]> {
  const [a = 0, b = 0, c = 0] = await freePorts(3, systemRandom);
  const routes = [a, b, c].map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const config = (port: number) =>
    `server_name: at-${port}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }`;
  return [config(a), config(b), config(c)];
}

it("a cluster without a majority is leaderless, not without JetStream", async () => {
  const [one, two, three] = await clusterOfThree();
  await using first = await NatsServer.start({ jetStream: true, config: one });
  await using second = await NatsServer.start({ jetStream: true, config: two });
  await using third = await NatsServer.start({ jetStream: true, config: three });
  await using owner = new AsyncDisposableStack();
  const client = await connect({ servers: first.url, reconnect: false });
  owner.defer(() => client.close());
  const api = new BrokerStreamApi(client, { stream: "S", consumer: "c", subjects: [] });
  const answer = () =>
    api.state().then(
      () => "a state",
      (error: unknown) => toPartnerdError(error).code,
    );
  await until("the cluster has a leader", async () => (await answer()) === "stream_missing", 60_000);

  await second.kill();
  await third.kill();

  const seen = new Set<string>();
  await until(
    "the cluster has no leader",
    async () => {
      const code = await answer();
      seen.add(code);
      return code === "jetstream_leaderless";
    },
    60_000,
  );
  expect([...seen]).not.toContain("jetstream_unavailable");
});
