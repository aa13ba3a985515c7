import { describe, expect, it } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { type BatchOutcome, IngestBuffer, type ReceivedMessage } from "../../src/ingest/ingest-buffer.ts";
import { PersistentConnection } from "../../src/nats/connection/connection.ts";
import { PersistentSubscription } from "../../src/nats/core-subscription.ts";
import { publishOnce } from "../../src/nats/publish.ts";
import { settled } from "../../src/sim/time/virtual-clock.ts";
import { NatsServer } from "../support/nats-server.ts";
import { serversAt } from "../support/nats-servers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { until } from "../support/until.ts";

const SUBJECTS = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];

interface Bounds {
  readonly url: string;
  readonly maxMessages?: number;
}

function subscribe({ url, ...bounds }: Bounds) {
  const logger = new RecordingLogger();
  const texts: string[] = [];
  const state = { outcome: "done" as BatchOutcome, overflows: 0 };
  const buffer = new IngestBuffer({
    clock: systemClock,
    onBatch(batch: readonly ReceivedMessage[]) {
      if (state.outcome === "done")
        texts.push(...batch.map(({ subject, bytes }) => `${subject} ${new TextDecoder().decode(bytes)}`));
      return state.outcome;
    },
    onOverflow: () => {
      state.overflows += 1;
    },
    ...bounds,
  });
  const connection = new PersistentConnection(
    { servers: serversAt(url), name: "test" },
    { clock: systemClock, random: systemRandom, logger },
  );
  const subscription = new PersistentSubscription(connection, SUBJECTS, { buffer, clock: systemClock, logger });
  return {
    connection,
    subscription,
    buffer,
    logger,
    texts,
    state,
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

const publish = (url: string, subject: string, text: string) =>
  publishOnce({ servers: serversAt(url), name: "publisher" }, subject, new TextEncoder().encode(text), { clock: systemClock });

describe.concurrent("a core subscription", () => {
  it("receives every message published after it subscribed, in order and byte for byte", async () => {
    await using server = await NatsServer.start();
    await using listening = subscribe(server);
    const { subscription, texts, buffer } = listening;
    expect(subscription.subscribed).toBe(false);
    await until("subscribed", () => subscription.subscribed);
    await publish(server.url, "CREATE_RESOURCE", "one");
    await publish(server.url, "OTHER", "ignored");
    await publish(server.url, "REMOVE_RESOURCE", "zwei ü");
    await until("two messages", () => texts.length === 2);
    expect(texts).toEqual(["CREATE_RESOURCE one", "REMOVE_RESOURCE zwei ü"]);
    expect(buffer.counts()).toEqual({ dropped: 0, buffered: 0 });
  });

  it("counts as subscribed only after the server has confirmed it", async () => {
    await using server = await NatsServer.start();
    await using listening = subscribe(server);
    const { connection, buffer, logger } = listening;
    await until("subscribed", () => listening.subscription.subscribed);
    await server.freeze();
    using another = new PersistentSubscription(connection, ["OTHER"], { buffer, clock: systemClock, logger });
    await settled();
    await settled();
    expect(another.subscribed).toBe(false);
    server.thaw();
    await until("the other is subscribed", () => another.subscribed);
  });

  it("is restored within 10 s after a crash of the server", async () => {
    await using server = await NatsServer.start();
    await using listening = subscribe(server);
    const { subscription, texts } = listening;
    await until("subscribed", () => subscription.subscribed);
    await server.kill();
    await until("the loss shows", () => !subscription.subscribed);
    await server.start();
    await until("subscribed again", () => subscription.subscribed, 10_000);
    await publish(server.url, "CREATE_RESOURCE", "after");
    await until("the message", () => texts.includes("CREATE_RESOURCE after"));
  });

  it("drops messages that do not fit in its buffer, counts them, and reports that once", async () => {
    await using server = await NatsServer.start();
    await using listening = subscribe({ url: server.url, maxMessages: 3 });
    const { subscription, texts, buffer, state } = listening;
    await until("subscribed", () => subscription.subscribed);
    state.outcome = { retryMs: 1_000 };
    for (const number of [1, 2, 3, 4, 5]) await publish(server.url, "CREATE_RESOURCE", String(number));
    await until("all have arrived", () => buffer.counts().dropped === 2);
    expect(buffer.counts()).toMatchObject({ dropped: 2, buffered: 3 });
    expect(state.overflows).toBe(1);
    state.outcome = "done";
    await until("the rest is handed over", () => texts.length === 3);
    expect(texts.map((text) => text.split(" ")[1])).toEqual(["1", "2", "3"]);
  });

  it("reports a subject that the server denies, and receives it once that is allowed", async () => {
    const config = (subjects: string) =>
      `authorization { users: [{ user: a, password: b, permissions: { subscribe: ${subjects} } }] }`;
    await using server = await NatsServer.start({ config: config('["REMOVE_RESOURCE"]') });
    const url = server.url.replace("//", "//a:b@");
    await using listening = subscribe({ url });
    const { subscription, connection, texts, logger } = listening;
    await until("the denial is logged", () => logger.at("error").length > 0);
    expect(logger.at("error")[0]?.fields).toMatchObject({ subject: "CREATE_RESOURCE" });
    expect(subscription.subscribed).toBe(false);
    expect(connection.status()).toMatchObject({ state: "connected" });
    await until(
      "the status shows it",
      () => connection.status().lastError?.includes('denies the subscription "CREATE_RESOURCE"') ?? false,
    );
    await publish(url, "REMOVE_RESOURCE", "meanwhile");
    await until("the other subject works", () => texts.length === 1);

    server.configure(config('["REMOVE_RESOURCE", "CREATE_RESOURCE"]'));
    server.reload();
    await until("subscribed", () => subscription.subscribed, 15_000);
    await publish(url, "CREATE_RESOURCE", "at last");
    await until("the message", () => texts.includes("CREATE_RESOURCE at last"));
    expect(logger.at("error")).toHaveLength(1);
  });

  it("receives nothing after it is disposed, while the connection stays open", async () => {
    await using server = await NatsServer.start();
    await using listening = subscribe(server);
    const { subscription, connection, texts, buffer, logger } = listening;
    let barriers = 0;
    const counter = { offer: () => (barriers += 1) };
    using live = new PersistentSubscription(connection, ["BARRIER"], { buffer: counter, clock: systemClock, logger });
    await until("both are subscribed", () => subscription.subscribed && live.subscribed);
    subscription[Symbol.dispose]();
    await publish(server.url, "CREATE_RESOURCE", "too late");
    // The server delivers in order, so the earlier message would have arrived by now.
    await publish(server.url, "BARRIER", "");
    await until("the first barrier", () => barriers === 1);
    expect([texts, buffer.counts()]).toEqual([[], { dropped: 0, buffered: 0 }]);
    await server.restart();
    await until("connected again", () => connection.status().reconnects === 1 && live.subscribed);
    await publish(server.url, "CREATE_RESOURCE", "too late again");
    await publish(server.url, "BARRIER", "");
    await until("the second barrier", () => barriers === 2);
    expect(subscription.subscribed).toBe(false);
    expect([texts, buffer.counts()]).toEqual([[], { dropped: 0, buffered: 0 }]);
  });
});
