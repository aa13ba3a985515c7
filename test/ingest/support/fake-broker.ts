/** A broker that always answers the same, and a reader of its stream on a log that has all of it. */
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { BrokerLink, BrokerStreamState, ConsumerState } from "../../../src/ingest/broker/broker-port.ts";
import type { IngestBuffer, ReceivedMessage } from "../../../src/ingest/ingest-buffer.ts";
import { BrokerStreamReader } from "../../../src/ingest/stream/reader.ts";

export const STREAM = { stream: "OC_RESOURCES", created: "2026-01-01T00:00:00Z" };

export const CURSOR = { ...STREAM, sequence: 5, firstSequence: 1, messageHash: "hash" };

export const HELD: BrokerStreamState = {
  ...STREAM,
  firstSequence: 1,
  lastSequence: 5,
  uncaptured: [],
  limits: "",
  leader: null,
};

export const OWNER = { peerId: "us", run: "1" };

/** Ours, and never at the cursor. */
export const ELSEWHERE: ConsumerState = {
  startSequence: 99,
  delivered: { consumerSequence: 0, streamSequence: 0 },
  unacknowledged: 0,
  waitingRequests: 0,
  acknowledged: 5,
  owner: OWNER,
  isPaused: false,
  isAsRequired: true,
};

/** The reply subject of the consumer's delivery number `sequence`, which is also its sequence in the stream. */
export const replyOf = (sequence: number, pending: number) => `$JS.ACK.S.C.1.${sequence}.${sequence}.1000.${pending}`;

export const LINK: BrokerLink = {
  state: async () => HELD,
  hashAt: async () => "hash",
  firstHeld: async (sequence) => sequence,
  consumer: async () => ELSEWHERE,
  recreateConsumerAt: async () => {},
  openPull: () => ({ request: () => {}, [Symbol.dispose]: () => {} }),
  acknowledge: () => {},
  ping: async () => {},
  onDenied: () => {},
  isClosed: () => false,
  closed: () => new Promise(() => {}),
  close: async () => {},
};

export const readerWith = (
  logger: Logger,
  clock: Clock = systemClock,
  offer: (message: ReceivedMessage) => boolean = () => true,
  onAppended: (events: readonly { readonly reason: string }[]) => void = () => {},
  buffer: Partial<Pick<IngestBuffer, "counts" | "discard">> = {},
) =>
  new BrokerStreamReader({
    stream: STREAM.stream,
    consumer: "oc-partnerd",
    log: {
      cursor: () => CURSOR,
      delivery: () => ({
        type: "DeliveryChanged",
        reason: "at_least_once",
        stream: STREAM.stream,
        streamCreated: STREAM.created,
        streamSequence: 1,
        message: null,
      }),
      deliveries: () => [],
      contestedRuns: () => [],
      knownMessages: () => [],
      appendDelivery: (events) => {
        onAppended(events);
        return [];
      },
    },
    owner: OWNER,
    buffer: { offer, discard: () => {}, counts: () => ({ dropped: 0, buffered: 0 }), ...buffer },
    clock,
    logger,
  });
