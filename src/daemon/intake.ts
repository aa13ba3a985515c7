/**
 * The event intake: the NATS server, the connection to it, and on each connection a stream reader or subscription that fills the
 * buffer.
 */
import type { Clock, Random } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import { subjectsOf } from "../events/vocabulary.ts";
import type { ConsumerOwner } from "../ingest/broker/broker-port.ts";
import type { IngestBuffer } from "../ingest/ingest-buffer.ts";
import type { NatsConnection } from "../nats/connection/client.ts";
import { PersistentConnection } from "../nats/connection/connection.ts";
import { EventSource } from "../nats/event-source.ts";
import { setUpHeads } from "../nats/heads/heads-setup.ts";
import { setUp } from "../nats/setup/setup.ts";
import { deliveryProof } from "../store/fold/delivery-proof.ts";
import type { Store } from "../store/store.ts";
import type { NatsFacts } from "./health.ts";
import { natsSource } from "./nats-source.ts";

/** Size limit of the private server's stream, which JetStream reserves on the disk of the data directory: about 150,000 events. */
const PRIVATE_STREAM_BYTES = 67_108_864;

interface IntakeDependencies {
  readonly store: Store;
  readonly buffer: IngestBuffer;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts the start, which then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** This daemon, as it signs its consumer. */
  readonly reader: ConsumerOwner;
  /** Disposes parts together with the daemon. */
  readonly owner: AsyncDisposableStack;
  /** As in natsSource. */
  readonly localUrl?: string;
}

export interface Intake {
  readonly connection: PersistentConnection;
  facts(): NatsFacts;
  /** Whether events come from a broker stream. */
  readsStream(): boolean;
  /** Starts reading the whole stream again; false if there is none. */
  resync(): boolean;
}

/** Resolves once the server is known, which may mean starting a private one. Connects in the background. */
export async function startIntake(config: Config, deps: IntakeDependencies): Promise<Intake> {
  const { store, buffer, clock, random, logger, reader, owner } = deps;
  const { mode, stream, consumer } = config.nats;
  const subjects = subjectsOf(config.events);
  const prepare = async (client: NatsConnection) => {
    await setUp(client, { stream, consumer, subjects, limits: { maxBytes: PRIVATE_STREAM_BYTES } });
    const heads = config.nats.heads === "publish" ? await setUpHeads(client, { replicas: 1 }) : null;
    if (heads !== null && heads.problem !== null) throw heads.problem;
  };

  const server = await natsSource(config, deps);
  const connection = owner.use(new PersistentConnection(server.config, { clock, random, logger }));
  const source = owner.use(
    new EventSource({
      mode,
      stream,
      consumer,
      subjects,
      owner: reader,
      connection,
      buffer,
      log: store,
      clock,
      logger,
      ...(server.isPrivate && mode !== "core" && { prepare }),
    }),
  );
  return {
    connection,
    facts: () => ({
      status: connection.status(),
      source: source.facts(),
      proof: deliveryProof(store.cursor(), store.deliveries()),
      dropped: buffer.counts().dropped,
    }),
    readsStream: () => source.facts().from === "jetstream",
    resync: () => source.resync(),
  };
}
