import { expect, it } from "vitest";
import { BrokerStreamApi } from "../../src/nats/broker-stream-api.ts";
import type { NatsConnection } from "../../src/nats/connection/client.ts";

const STREAM = {
  created: "2026-01-01T00:00:00Z",
  config: { subjects: ["a"] },
  state: { messages: 3, bytes: 300, first_seq: 1, last_seq: 3 },
};
const CONSUMER = {
  config: { opt_start_seq: 2 },
  ack_floor: { stream_seq: 3 },
  delivered: { consumer_seq: 2, stream_seq: 3 },
  num_ack_pending: 0,
  num_waiting: 1,
};

/** The API of a server that gives these answers. */
function apiOf(answers: { stream?: object; consumer?: object; message?: object }): BrokerStreamApi {
  const manager = {
    streams: {
      info: async () => ({ ...STREAM, ...answers.stream }),
      getMessage: async () => ({ seq: 3, ...answers.message }),
    },
    consumers: { info: async () => ({ ...CONSUMER, ...answers.consumer }) },
  };
  const client = { jetstreamManager: async () => manager } as unknown as NatsConnection;
  return new BrokerStreamApi(client, { stream: "S", consumer: "c", subjects: ["a"] });
}

it("answers in JetStream's form are understood", async () => {
  const api = apiOf({});
  expect(await api.state()).toMatchObject({ firstSequence: 1, lastSequence: 3, uncaptured: [] });
  expect(await api.consumer()).toMatchObject({ startSequence: 2, acknowledged: 3 });
  expect(await api.firstHeld(1)).toBe(3);
});

const state = (change: object) => ({ stream: { state: { ...STREAM.state, ...change } } });

it.each([
  ["a sequence that is rounded", "state.last_seq", state({ last_seq: 2 ** 64 })],
  ["a negative sequence", "state.first_seq", state({ first_seq: -9 })],
  ["half a message", "state.messages", state({ messages: 0.5 })],
  ["a text for a number", "state.last_seq", state({ last_seq: "3" })],
  ["an endless time", "created", { stream: { created: "x".repeat(100_000) } }],
])("a stream with %s is refused, before anything of it is in the log", async (_, field, answers) => {
  await expect(apiOf(answers).state()).rejects.toMatchObject({
    code: "jetstream_malformed",
    message: `cannot look at stream S: the answer has an unusable ${field}`,
  });
});

it("so are the state of a consumer, and a message", async () => {
  const malformed = { code: "jetstream_malformed" };
  await expect(apiOf({ consumer: { ack_floor: { stream_seq: 1e300 } } }).consumer()).rejects.toMatchObject(malformed);
  await expect(apiOf({ consumer: { delivered: null } }).consumer()).rejects.toMatchObject(malformed);
  await expect(apiOf({ message: { seq: -3 } }).firstHeld(1)).rejects.toMatchObject(malformed);
});
