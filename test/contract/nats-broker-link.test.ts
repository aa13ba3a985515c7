import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect, type JetStreamManager, nanos, RetentionPolicy, StorageType } from "nats";
import { natsLink } from "../../src/nats/nats-link.ts";
import { consumerConfig } from "../../src/nats/setup/consumer-config.ts";
import { NatsServer } from "../support/nats-server.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/until.ts";
import { type BrokerHarness, brokerLinkContract } from "./broker-link.contract.ts";

const STREAM = "OC_RESOURCES";
const CONSUMER = "oc-partnerd";
const SUBJECT = "CREATE_RESOURCE";

async function startStream(): Promise<BrokerHarness> {
  await using owner = new AsyncDisposableStack();
  const server = owner.use(await NatsServer.start({ jetStream: true }));
  const proxies: TcpProxy[] = [];

  async function managed(work: (manager: JetStreamManager) => Promise<unknown>): Promise<void> {
    const client = await connect({ servers: server.url, reconnect: false });
    await work(await client.jetstreamManager());
    await client.close();
  }

  const makeStream = () =>
    managed(({ streams }) =>
      streams.add({ name: STREAM, subjects: [SUBJECT], storage: StorageType.File, retention: RetentionPolicy.Limits }),
    );
  const store = join(server.directory, "store");
  const replaceBy = (from: string, to: string) => {
    rmSync(to, { recursive: true, force: true });
    cpSync(from, to, { recursive: true });
  };
  await makeStream();
  const started = owner.move();
  return {
    connect: async () => {
      const proxy = started.use(await startTcpProxy(server.port));
      proxies.push(proxy);
      const client = await connect({ servers: `127.0.0.1:${proxy.port}`, reconnect: false });
      return natsLink(client, { stream: STREAM, consumer: CONSUMER, subjects: ["s.>"] });
    },
    publish: async (...texts) => {
      const client = await connect({ servers: server.url, reconnect: false });
      for (const text of texts) await client.request(SUBJECT, text);
      await client.close();
    },
    makeConsumer: ({ startSequence, ackWaitMs, maxUnacknowledged }) =>
      managed(({ consumers }) =>
        consumers.add(STREAM, {
          ...consumerConfig(CONSUMER, startSequence),
          ack_wait: nanos(ackWaitMs),
          max_ack_pending: maxUnacknowledged,
        }),
      ),
    deleteConsumer: () => managed(({ consumers }) => consumers.delete(STREAM, CONSUMER)),
    purge: (keep) =>
      managed(async ({ streams }) => {
        if (keep === 0) await streams.purge(STREAM);
        else {
          await streams.update(STREAM, { max_msgs: keep });
          await streams.update(STREAM, { max_msgs: -1 });
        }
      }),
    remove: (sequence) => managed(({ streams }) => streams.deleteMessage(STREAM, sequence)),
    recreate: async () => {
      await managed(({ streams }) => streams.delete(STREAM));
      await makeStream();
    },
    setBackAfter: async (meanwhile) => {
      const copy = `${store}.copy`;
      const [proxy] = proxies;
      if (proxy !== undefined) cpSync(store, copy, { recursive: true });
      await meanwhile();
      await server.stop();
      replaceBy(copy, store);
      await server.start();
    },
    cut: () => {
      for (const proxy of proxies.splice(0)) proxy.drop();
    },
    forget: () => {
      for (const proxy of proxies.splice(0)) proxy.forget();
    },
    freeze: () => server.freeze(),
    thaw: async () => server.thaw(),
    pass: (durationMs) => delay(durationMs),
    eventually: async (condition) => void (await until("the condition holds", condition, 20_000)),
    dispose: () => started.disposeAsync(),
  };
}

brokerLinkContract("nats-server", startStream);
