/** Reads a broker stream over NATS. */

import type { PartnerdError } from "../base/errors.ts";
import type { BrokerLink, BrokerMessage, PullChannel, PullListener, PullRequest } from "../ingest/broker/broker-port.ts";
import { BrokerStreamApi, type StreamNames } from "./broker-stream-api.ts";
import { createInbox, type NatsConnection, nanos } from "./connection/client.ts";
import { closeQuietly, describe, flush } from "./connection/dial.ts";
import { deniedError } from "./connection/jetstream-error.ts";
import { pullStatusOf } from "./pull-status.ts";

const ACKNOWLEDGEMENT = "+ACK";

type Names = Omit<StreamNames, "subjects">;

export function natsLink(client: NatsConnection, names: StreamNames): BrokerLink {
  const api = new BrokerStreamApi(client, names);
  return {
    state: () => api.state(),
    hashAt: (sequence) => api.hashAt(sequence),
    firstHeld: (sequence) => api.firstHeld(sequence),
    consumer: () => api.consumer(),
    recreateConsumerAt: (startSequence, owner) => api.recreateConsumerAt(startSequence, owner),
    openPull: (listener) => new NatsPullChannel(client, names, listener),
    acknowledge: ({ reply }: BrokerMessage) => {
      if (reply !== undefined && !client.isClosed()) client.publish(reply, ACKNOWLEDGEMENT);
    },
    ping: () => flush(client),
    onDenied: (listener) => void watchDenials(client, names, listener),
    isClosed: () => client.isClosed(),
    closed: () => client.closed(),
    close: () => closeQuietly(client),
  };
}

class NatsPullChannel implements PullChannel {
  readonly #client: NatsConnection;
  readonly #subject: string;
  readonly #inbox = createInbox();
  readonly #subscription;

  constructor(client: NatsConnection, { stream, consumer }: Names, listener: PullListener) {
    this.#client = client;
    this.#subject = nextSubject(stream, consumer);
    this.#subscription = client.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) listener.failed(describe(error));
        else if (!message.subject.startsWith(this.#inbox)) listener.message(message);
        else {
          const requestNumber = Number(message.subject.slice(this.#inbox.length + 1));
          listener.status(requestNumber, pullStatusOf(message.headers?.code ?? 0, message.headers?.description ?? ""));
        }
      },
    });
  }

  request({ number, messages, expiresMs, heartbeatMs }: PullRequest): void {
    if (this.#client.isClosed()) return;
    const body = { batch: messages, expires: nanos(expiresMs), idle_heartbeat: nanos(heartbeatMs) };
    this.#client.publish(this.#subject, JSON.stringify(body), { reply: `${this.#inbox}.${number}` });
  }

  [Symbol.dispose](): void {
    if (!this.#client.isClosed()) this.#subscription.unsubscribe();
  }
}

/** Pulling and acknowledging request no reply, so only an event reports that they were denied. */
async function watchDenials(
  client: NatsConnection,
  { stream, consumer }: Names,
  listener: (denied: PartnerdError) => void,
): Promise<void> {
  const ours = [nextSubject(stream, consumer), `$JS.ACK.${stream}.${consumer}.`];
  for await (const { permissionContext: denied } of client.status()) {
    if (denied === undefined || !ours.some((subject) => denied.subject.startsWith(subject))) continue;
    listener(deniedError(`read stream ${stream}`, denied));
  }
}

function nextSubject(stream: string, consumer: string): string {
  return `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
}
