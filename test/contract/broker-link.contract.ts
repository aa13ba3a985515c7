/** The broker behaviour that reading a stream relies on; nats-server and the simulated broker must both have it. */

import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type BrokerLink,
  type BrokerMessage,
  type ConsumerOwner,
  type ConsumerSettings,
  type PullChannel,
  REQUIRED_CONSUMER,
} from "../../src/ingest/broker/broker-port.ts";
import { deliveryPositionOf } from "../../src/ingest/broker/delivery-position.ts";
import { messageHash } from "../../src/store/model/dedupe-key.ts";

/** A broker with an empty stream and no consumer. */
export interface BrokerHarness {
  /** Opens a new connection. */
  connect(): Promise<BrokerLink>;
  publish(...texts: string[]): Promise<void>;
  /** Creates a consumer other than the reader's own, which `recreateConsumerAt` creates. */
  makeConsumer(settings: ConsumerSettings): Promise<void>;
  deleteConsumer(): Promise<void>;
  /** Removes all but the newest `keep` messages. */
  purge(keep: number): Promise<void>;
  remove(sequence: number): Promise<void>;
  recreate(): Promise<void>;
  /** Runs `meanwhile`, then rewinds stream and consumer to their earlier state. Connections break. */
  setBackAfter(meanwhile: () => Promise<void>): Promise<void>;
  /** Breaks all current connections; both ends notice. */
  cut(): void;
  /** Makes all current connections half-open: nothing gets through, and neither end notices. */
  forget(): void;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Lets time pass, for behaviour that depends on silence. */
  pass(durationMs: number): Promise<void>;
  eventually(condition: () => boolean | Promise<boolean>): Promise<void>;
  dispose(): Promise<void>;
}

const CONSUMER: ConsumerSettings = { startSequence: 1, ...REQUIRED_CONSUMER };

const OWNER: ConsumerOwner = { peerId: "12D3KooWreader", run: "9f3c07ab" };

/** Far longer than any test here takes. */
const LONG_MS = 60_000;

/** Collects the replies to a series of pull requests. */
class Puller {
  readonly messages: BrokerMessage[] = [];
  readonly statuses: string[] = [];
  readonly #channel: PullChannel;
  #requests = 0;

  constructor(link: BrokerLink) {
    this.#channel = link.openPull({
      message: (message) => this.messages.push(message),
      status: (request, { kind }) => this.statuses.push(`${request}: ${kind}`),
      failed: (reason) => this.statuses.push(reason),
    });
  }

  request(messages: number, { expiresMs = LONG_MS, heartbeatMs = LONG_MS / 3 } = {}): void {
    this.#channel.request({ number: ++this.#requests, messages, expiresMs, heartbeatMs });
  }

  stop(): void {
    this.#channel[Symbol.dispose]();
  }

  /** `text@stream sequence/consumer sequence`. */
  get got(): string[] {
    return this.messages.map(({ data, reply }) => {
      const place = deliveryPositionOf(reply);
      return `${new TextDecoder().decode(data)}@${place?.streamSequence}/${place?.consumerSequence}`;
    });
  }
}

export function brokerLinkContract(name: string, start: () => Promise<BrokerHarness>): void {
  describe(`BrokerLink: ${name}`, () => {
    let harness: BrokerHarness;
    let link: BrokerLink;

    beforeEach(async () => {
      harness = await start();
      link = await harness.connect();
    });

    afterEach(() => harness.dispose());

    async function settle<Result>(work: Promise<Result>): Promise<Result> {
      let isOver = false;
      const watched = work.finally(() => {
        isOver = true;
      });
      watched.catch(() => {});
      await harness.eventually(() => isOver);
      return watched;
    }

    const state = async (of = link) => {
      const { firstSequence, lastSequence } = await settle(of.state());
      return [firstSequence, lastSequence];
    };
    const consumer = async (of = link) => {
      const found = await settle(of.consumer());
      return (
        found && [found.delivered.consumerSequence, found.delivered.streamSequence, found.unacknowledged, found.waitingRequests]
      );
    };
    /** nats-server queues pull requests, so a look right after one may not show it. */
    const becomes = async (expected: readonly number[]) => {
      for (let looks = 1; looks < 100 && !isDeepStrictEqual(await consumer(), expected); looks++);
      expect(await consumer()).toEqual(expected);
    };
    const place = (startSequence: number) => settle(link.recreateConsumerAt(startSequence, OWNER));
    const has = (puller: Puller, count: number) => harness.eventually(() => puller.messages.length >= count);
    const isTold = (puller: Puller, status: string) => harness.eventually(() => puller.statuses.includes(status));
    const acknowledge = async (message: BrokerMessage | undefined) => {
      if (message !== undefined) link.acknowledge(message);
      await settle(link.ping());
    };

    it("gives an empty stream a first sequence one above its last", async () => {
      expect(await state()).toEqual([1, 0]);
      await harness.publish("a", "b", "c");
      expect(await state()).toEqual([1, 3]);
      await harness.purge(1);
      expect(await state()).toEqual([3, 3]);
      await harness.purge(0);
      expect(await state()).toEqual([4, 3]);
      await harness.publish("d");
      await harness.remove(4);
      expect(await state()).toEqual([5, 4]);
    });

    it("tells a recreated stream apart by its creation time", async () => {
      await harness.publish("a");
      const { created, leader } = await settle(link.state());
      expect(await settle(link.state())).toMatchObject({ created, leader });
      await harness.recreate();
      expect((await settle(link.state())).created).not.toBe(created);
      expect(await state()).toEqual([1, 0]);
      expect(await consumer()).toBeUndefined();
    });

    it("gives a message the same hash in a lookup as in a delivery", async () => {
      await harness.publish("a", "b");
      await place(2);
      const puller = new Puller(link);
      puller.request(1);
      await has(puller, 1);
      const [message] = puller.messages;
      const storedAtNs = deliveryPositionOf(message?.reply)?.storedAtNs ?? "";
      expect(await settle(link.hashAt(2))).toBe(messageHash(storedAtNs, hash("sha256", message?.data ?? "", "hex")));
      expect(await settle(link.hashAt(3))).toBeUndefined();
      await harness.remove(1);
      expect(await settle(link.hashAt(1))).toBeUndefined();
    });

    it("names the first message that the stream holds from a sequence on", async () => {
      await harness.publish("a", "b", "c");
      await harness.remove(2);
      const first = (sequence: number) => settle(link.firstHeld(sequence));
      expect([await first(1), await first(2), await first(3), await first(4)]).toEqual([1, 3, 3, undefined]);
    });

    it("creates a consumer at any sequence, replacing any existing one", async () => {
      await harness.publish("a", "b", "c");
      expect(await consumer()).toBeUndefined();
      await place(2);
      expect(await consumer()).toEqual([0, 1, 0, 0]);
      const before = new Puller(link);
      before.request(10);
      await has(before, 2);
      expect(await consumer()).toEqual([2, 3, 2, 1]);
      await place(3);
      await isTold(before, "1: consumer_deleted");
      const after = new Puller(link);
      after.request(10);
      await has(after, 1);
      expect(after.got).toEqual(["c@3/1"]);
      expect(before.got).toEqual(["b@2/1", "c@3/2"]);
    });

    it("says whether a consumer has the required configuration, and where it started", async () => {
      await place(7);
      expect(await settle(link.consumer())).toMatchObject({ startSequence: 7, isAsRequired: true });
      await harness.deleteConsumer();
      await harness.makeConsumer({ ...CONSUMER, ackWaitMs: 1_000 });
      expect(await settle(link.consumer())).toMatchObject({ startSequence: 1, isAsRequired: false });
    });

    it("delivers stored messages in order, then new ones, and no more than requested", async () => {
      await harness.publish("a", "b");
      await place(1);
      const puller = new Puller(link);
      puller.request(3);
      await has(puller, 2);
      expect(puller.messages.map(({ reply }) => deliveryPositionOf(reply)?.pending)).toEqual([1, 0]);
      await harness.publish("c", "d");
      await has(puller, 3);
      expect(await consumer()).toEqual([3, 3, 3, 0]);
      puller.request(1);
      await has(puller, 4);
      expect(puller.got).toEqual(["a@1/1", "b@2/2", "c@3/3", "d@4/4"]);
      expect(puller.statuses).toEqual([]);
    });

    it("sends idle heartbeats, and ends a request when it expires", async () => {
      await place(1);
      const puller = new Puller(link);
      puller.request(1, { expiresMs: 1_300, heartbeatMs: 500 });
      await isTold(puller, "1: over");
      expect(puller.statuses).toEqual(["1: alive", "1: alive", "1: over"]);
      expect(await consumer()).toEqual([0, 0, 0, 0]);
    });

    it("drops a request whose subscriber has gone", async () => {
      await place(1);
      const puller = new Puller(link);
      puller.request(1);
      await becomes([0, 0, 0, 1]);
      puller.stop();
      expect(await consumer()).toEqual([0, 0, 0, 0]);
      await harness.publish("a");
      const next = new Puller(link);
      next.request(1);
      await has(next, 1);
      expect(next.got).toEqual(["a@1/1"]);
    });

    it("ends a request when the consumer is deleted, and does not answer requests to a missing consumer", async () => {
      await place(1);
      const puller = new Puller(link);
      puller.request(1);
      await becomes([0, 0, 0, 1]);
      await harness.deleteConsumer();
      await isTold(puller, "1: consumer_deleted");
      puller.request(1, { expiresMs: 500, heartbeatMs: 200 });
      await harness.pass(1_000);
      expect(await consumer()).toBeUndefined();
      expect(puller.statuses).toEqual(["1: consumer_deleted"]);
    });

    it("ends a request when the stream is deleted", async () => {
      await place(1);
      const puller = new Puller(link);
      puller.request(1);
      await becomes([0, 0, 0, 1]);
      await harness.recreate();
      await isTold(puller, "1: consumer_deleted");
    });

    it("treats an acknowledgement as covering everything delivered before", async () => {
      await harness.publish("a", "b", "c");
      await place(1);
      const puller = new Puller(link);
      puller.request(3);
      await has(puller, 3);
      await acknowledge(puller.messages[1]);
      await harness.eventually(async () => (await consumer())?.[2] === 1);
      await acknowledge(puller.messages[0]);
      expect(await consumer()).toEqual([3, 3, 1, 0]);
    });

    it("redelivers messages not acknowledged in time, with continuing delivery numbers", async () => {
      await harness.publish("a", "b");
      await harness.makeConsumer({ ...CONSUMER, ackWaitMs: 2_000 });
      const puller = new Puller(link);
      puller.request(3);
      await has(puller, 2);
      await acknowledge(puller.messages[0]);
      await has(puller, 3);
      expect(puller.got).toEqual(["a@1/1", "b@2/2", "b@2/3"]);
      expect(deliveryPositionOf(puller.messages[2]?.reply)?.deliveries).toBe(2);
      expect(await consumer()).toEqual([3, 2, 1, 0]);
    });

    it("delivers no more than the limit of unacknowledged messages", async () => {
      await harness.publish("a", "b", "c");
      await harness.makeConsumer({ ...CONSUMER, maxUnacknowledged: 2 });
      const puller = new Puller(link);
      puller.request(3, { heartbeatMs: 500 });
      await has(puller, 2);
      await isTold(puller, "1: alive");
      expect(puller.messages).toHaveLength(2);
      await acknowledge(puller.messages[1]);
      await has(puller, 3);
      expect(puller.got).toEqual(["a@1/1", "b@2/2", "c@3/3"]);
    });

    it("numbers deliveries gaplessly, even across a gap in the stream", async () => {
      await harness.publish("a", "b", "c", "d");
      await place(1);
      await harness.remove(2);
      const puller = new Puller(link);
      puller.request(1);
      await has(puller, 1);
      puller.request(2);
      await has(puller, 3);
      expect(puller.got).toEqual(["a@1/1", "c@3/2", "d@4/3"]);
    });

    it("continues after purged messages, also in the middle of reading", async () => {
      await harness.publish("a", "b", "c", "d");
      await place(1);
      const puller = new Puller(link);
      puller.request(1);
      await has(puller, 1);
      await harness.purge(1);
      puller.request(1);
      await has(puller, 2);
      expect(puller.got).toEqual(["a@1/1", "d@4/2"]);
    });

    it("tells both ends when a connection breaks: its deliveries stay unacknowledged, and its requests are dropped", async () => {
      await harness.publish("a");
      await place(1);
      const puller = new Puller(link);
      puller.request(2);
      await has(puller, 1);
      let isOver = false;
      void link.closed().then(() => {
        isOver = true;
      });
      harness.cut();
      await harness.eventually(() => isOver);
      expect(link.isClosed()).toBe(true);
      await expect(settle(link.ping())).rejects.toThrow();
      await expect(settle(link.state())).rejects.toThrow();
      const next = await settle(harness.connect());
      await harness.eventually(async () => (await consumer(next))?.[3] === 0);
      expect(await consumer(next)).toEqual([1, 1, 1, 0]);
    });

    it("delivers the next message to a half-open connection that it believes is open", async () => {
      await place(1);
      const before = new Puller(link);
      before.request(10);
      await becomes([0, 0, 0, 1]);
      harness.forget();
      const next = await settle(harness.connect());
      expect(await consumer(next)).toEqual([0, 0, 0, 1]);
      const after = new Puller(next);
      after.request(10, { heartbeatMs: 500 });
      await harness.publish("a");
      await harness.eventually(async () => (await consumer(next))?.[2] === 1);
      await isTold(after, "1: alive");
      expect(after.messages).toEqual([]);
    });

    it("answers nothing while frozen, and everything afterwards", async () => {
      await harness.publish("a");
      await place(1);
      await harness.freeze();
      let isAnswered = false;
      void link.ping().then(() => {
        isAnswered = true;
      });
      const puller = new Puller(link);
      puller.request(1);
      await expect(settle(link.state())).rejects.toMatchObject({ code: "nats_unavailable" });
      expect([isAnswered, puller.got]).toEqual([false, []]);
      expect(link.isClosed()).toBe(false);
      await harness.thaw();
      await harness.eventually(() => isAnswered);
      await has(puller, 1);
      expect(puller.got).toEqual(["a@1/1"]);
    });

    it("reuses sequences after a rewind, with the same creation time", async () => {
      await harness.publish("a");
      await place(1);
      const { created } = await settle(link.state());
      let hashBefore: string | undefined;
      await harness.setBackAfter(async () => {
        await harness.publish("b");
        hashBefore = await settle(link.hashAt(2));
      });
      link = await settle(harness.connect());
      expect(await settle(link.state())).toMatchObject({ created, firstSequence: 1, lastSequence: 1 });
      expect(await consumer()).toEqual([0, 0, 0, 0]);
      await harness.publish("b");
      const hashAfter = await settle(link.hashAt(2));
      expect(hashAfter).not.toBe(hashBefore);
      expect(hashAfter).toBeDefined();
    });

    it("says who created the consumer and what it has acknowledged, also before the first delivery", async () => {
      await harness.publish("a", "b", "c", "d");
      const remembers = async () => {
        const found = await settle(link.consumer());
        return found && [found.acknowledged, found.owner];
      };
      await place(3);
      expect(await remembers()).toEqual([2, OWNER]);
      const puller = new Puller(link);
      puller.request(2);
      await has(puller, 2);
      expect(await remembers()).toEqual([2, OWNER]);
      await acknowledge(puller.messages.at(-1));
      expect(await remembers()).toEqual([4, OWNER]);
      await harness.deleteConsumer();
      await harness.makeConsumer(CONSUMER);
      expect(await remembers()).toEqual([0, undefined]);
    });

    it("drops the requests of a connection that is closed at this end", async () => {
      await place(1);
      const puller = new Puller(link);
      puller.request(1);
      await becomes([0, 0, 0, 1]);
      await settle(link.close());
      await settle(link.closed());
      expect(link.isClosed()).toBe(true);
      const next = await settle(harness.connect());
      await harness.eventually(async () => (await consumer(next))?.[3] === 0);
    });
  });
}
