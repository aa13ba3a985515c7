/** When the head of the log is published, and when not. */

import type { NatsConnection } from "nats";
import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { HeadPublisher } from "../../../src/daemon/heads/head-publisher.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import type { LogHead } from "../../../src/store/model/log-head.ts";
import { PEER_A } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const headAt = (seq: number): LogHead => ({ seq, chainHash: String(seq).padStart(64, "0"), atMs: seq });

let clock: VirtualClock;
let logger: RecordingLogger;
let head: LogHead | Error;
let headFailing: PartnerdError | null;
let publisher: HeadPublisher;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  head = headAt(1);
  headFailing = null;
  const store = {
    head: () => {
      if (head instanceof Error) throw head;
      return head;
    },
    get headFailing() {
      return headFailing;
    },
  };
  publisher = new HeadPublisher({ store, clock, random: seededRandom(1), logger });
});

const logged = () => logger.at("info").map(({ fields, message }) => [message, (fields as { seq?: number }).seq]);
const HEAD = "event log head";

describe("the head of the log", () => {
  it("is logged at startup, once a minute if it has changed, and when stopping", () => {
    expect(logger.lines).toEqual([{ level: "info", message: HEAD, fields: { seq: 1, chainHash: headAt(1).chainHash } }]);
    clock.advanceSync(300_000);
    expect(logged()).toHaveLength(1);
    head = headAt(5);
    clock.advanceSync(59_000);
    head = headAt(9);
    clock.advanceSync(1_000);
    expect(logged()).toEqual([
      [HEAD, 1],
      [HEAD, 9],
    ]);
    head = headAt(12);
    publisher[Symbol.dispose]();
    expect(logged().at(-1)).toEqual([HEAD, 12]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("is logged again if the hash at the same seq differs", () => {
    head = { ...headAt(1), chainHash: "f".repeat(64) };
    clock.advanceSync(60_000);
    expect(logged()).toHaveLength(2);
  });

  it("that cannot be read stops nothing", () => {
    head = new Error("disk I/O error");
    clock.advanceSync(60_000);
    expect(logger.at("warn")).toMatchObject([{ fields: { error: "disk I/O error" } }]);
    head = headAt(2);
    clock.advanceSync(60_000);
    expect(logged()).toEqual([
      [HEAD, 1],
      [HEAD, 2],
    ]);
  });

  it("that a mistake of ours keeps back is a fault", () => {
    head = new TypeError("a bug");
    clock.advanceSync(60_000);
    expect(logger.lines.slice(1)).toMatchObject([{ message: "internal error", fields: { part: "log", error: "a bug" } }]);
  });

  it("that is not kept beside the database is an error, said once, and so is its end", () => {
    headFailing = new PartnerdError("file_failed", "cannot write head: EIO");
    clock.advanceSync(180_000);
    expect(logger.at("error")).toMatchObject([{ fields: { error: "cannot write head: EIO" } }]);
    expect(logged()).toHaveLength(1);
    headFailing = null;
    clock.advanceSync(60_000);
    expect(logged().at(-1)?.[0]).toBe("head file is writable again");
  });
});

describe("on a NATS subject", () => {
  /** The part of a client that publishing needs; its server never answers unless `flushed` says so. */
  function client(flushed = new Promise<void>(() => {})) {
    const sent: unknown[] = [];
    const state = { isClosed: false };
    const connection = {
      publish: (subject: string, text: string) => void sent.push([subject, JSON.parse(text)]),
      isClosed: () => state.isClosed,
      closed: () => new Promise<void>(() => {}),
      flush: () => flushed,
    };
    return { sent, state, connection: connection as unknown as NatsConnection };
  }

  /** Takes the listener for new clients, until it is disposed. */
  function connections() {
    const listeners = new Set<(client: NatsConnection) => void>();
    const onClient = (listener: (client: NatsConnection) => void) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    };
    return { listeners, connection: { onClient } };
  }

  it("the end waits until it is sent, at most half a second, and takes no more clients", async () => {
    for (const [answersAfterMs, endsAfterMs] of [
      [200, 200],
      [9_000, 500],
    ] as const) {
      const { listeners, connection } = connections();
      const subject = publisher.publishTo({ connection, subject: "oc.head", peerId: PEER_A });
      const flushed = Promise.withResolvers<void>();
      for (const connect of listeners) connect(client(flushed.promise).connection);
      const timers = clock.pendingTimers;
      let isOver = false;
      const ended = subject[Symbol.asyncDispose]().then(() => {
        isOver = true;
      });
      expect(listeners.size).toBe(0);
      using answer = clock.schedule(answersAfterMs, () => flushed.resolve());
      await clock.advance(endsAfterMs - 1);
      expect(isOver).toBe(false);
      await clock.advance(1);
      expect(isOver).toBe(true);
      await ended;
      answer[Symbol.dispose]();
      expect(clock.pendingTimers).toBe(timers);
    }
  });

  it("the end does not wait if there never was a connection", async () => {
    const { connection } = connections();
    await publisher.publishTo({ connection, subject: "oc.head", peerId: PEER_A })[Symbol.asyncDispose]();
    expect(clock.monotonicMs()).toBe(0);
  });

  it("it is published on each connection, on each change, and when stopping, whether or not the server answers", async () => {
    const { listeners, connection } = connections();
    const connect = (fresh: NatsConnection) => {
      for (const listener of listeners) listener(fresh);
    };
    const subject = publisher.publishTo({ connection, subject: "oc.head", peerId: PEER_A });
    const first = client();
    connect(first.connection);
    const message = (seq: number, ms: number) => [
      "oc.head",
      { peerId: PEER_A, seq, chainHash: headAt(seq).chainHash, at: new Date(Date.UTC(2026, 0, 1, 12) + ms).toISOString() },
    ];
    expect(first.sent).toEqual([message(1, 0)]);
    head = headAt(2);
    clock.advanceSync(60_000);
    expect(first.sent).toEqual([message(1, 0), message(2, 60_000)]);
    first.state.isClosed = true;
    head = headAt(3);
    clock.advanceSync(60_000);
    expect(first.sent).toHaveLength(2);
    const second = client();
    connect(second.connection);
    expect(second.sent).toEqual([message(3, 120_000)]);
    head = headAt(4);
    const ended = subject[Symbol.asyncDispose]();
    await clock.advance(500);
    await ended;
    expect(second.sent.at(-1)).toEqual(message(4, 120_000));
    head = headAt(5);
    clock.advanceSync(60_000);
    expect(second.sent).toHaveLength(2);
  });
});
