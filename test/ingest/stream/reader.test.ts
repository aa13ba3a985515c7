/** Covers timing that test/contract/ and the simulator cannot control: a resync requested while a reading starts. */
import { expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type { BrokerLink } from "../../../src/ingest/stream/broker-port.ts";
import { BrokerStreamReader } from "../../../src/ingest/stream/reader.ts";

const STREAM = { stream: "OC_RESOURCES", created: "2026-01-01T00:00:00Z" };

test("a resync requested while a reading starts is not lost", async () => {
  const stop = new AbortController();
  const starts: number[] = [];
  const link: BrokerLink = {
    state: async () => ({ ...STREAM, firstSequence: 1, lastSequence: 5 }),
    hashAt: async () => "hash",
    consumer: async () => undefined,
    recreateConsumerAt: async (start) => {
      starts.push(start);
      if (starts.length === 1) reader.resync();
      if (starts.length === 2) stop.abort();
    },
    openPull: () => ({ request: () => stop.abort(), [Symbol.dispose]: () => {} }),
    acknowledge: () => {},
    ping: async () => {},
    onDenied: () => {},
    isClosed: () => false,
    closed: () => new Promise(() => {}),
    close: async () => {},
  };
  const reader = new BrokerStreamReader({
    stream: STREAM.stream,
    consumer: "oc-partnerd",
    log: {
      cursor: () => ({ ...STREAM, sequence: 5, firstSequence: 1, messageHash: "hash" }),
      delivery: () => ({ type: "DeliveryChanged", reason: "at_least_once", streamSequence: 1, message: "" }),
      appendDelivery: () => [],
    },
    buffer: {
      offer: () => true,
      discard: () => {},
      counts: () => ({ received: 0, dropped: 0, buffered: 0, bufferedBytes: 0 }),
    },
    clock: systemClock,
    logger: silentLogger,
    onAppended: () => {},
  });
  await reader.run(link, stop.signal);
  expect(starts).toEqual([6, 1]);
});
