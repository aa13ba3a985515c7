/** The set-up for testing a guarantee: a server of one version with the stream, core publishers and daemons, all owned by the test. */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { connect, type JetStreamManager, type NatsConnection, type StreamState } from "nats";
import { envelopeOf } from "../../src/fixture/format/message.ts";
import { peerIdOfName } from "../../src/fixture/format/names.ts";
import { setUp } from "../../src/nats/setup/setup.ts";
import type { LimitChanges } from "../../src/nats/setup/stream-config.ts";
import type { DeliveryView } from "../../src/views/api.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import type { Credentials } from "../support/operating-docs.ts";
import { until } from "../support/until.ts";

export const STREAM = "OC_RESOURCES";
export const CONSUMER = "oc-partnerd";

const PEERS = 100;
/** Generous, as the machine runs a daemon per version; `npm run bench` measures speed. */
export const PATIENCE_MS = 60_000;
/** Messages published before waiting for the server. */
const PENDING = 1_000;

interface SceneOptions {
  readonly jetStream?: boolean;
  /** Lines for the server's configuration file. */
  readonly config?: string;
  /** Credentials for setting up and inspecting the stream. */
  readonly admin?: Credentials;
}

export interface Gap {
  readonly reason: string;
  readonly first: number;
  readonly last: number | null;
}

export class Scene implements AsyncDisposable {
  readonly nats: NatsServer;
  readonly #admin: Credentials | undefined;
  readonly #owned = new AsyncDisposableStack();
  #published = 0;

  private constructor(nats: NatsServer, admin: Credentials | undefined) {
    this.nats = this.#owned.use(nats);
    this.#admin = admin;
  }

  static async start(binary: string, { jetStream = true, config = "", admin }: SceneOptions = {}): Promise<Scene> {
    return new Scene(await NatsServer.start({ binary, jetStream, config }), admin);
  }

  /** A client that does not reconnect. */
  async client(credentials = this.#admin): Promise<NatsConnection> {
    const login = credentials && { user: credentials.user, pass: credentials.password };
    const client = await connect({ servers: this.nats.url, reconnect: false, ...login });
    this.#owned.defer(() => client.close());
    return client;
  }

  async manager(): Promise<JetStreamManager> {
    return (await this.client()).jetstreamManager();
  }

  async setUp(limits: LimitChanges = {}, credentials = this.#admin): Promise<void> {
    const client = await this.client(credentials);
    await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: [CREATE, REMOVE], limits });
  }

  /** Starts a daemon, which reads the stream unless `nats` says otherwise. */
  async daemon(nats: ConfigFile["nats"] = {}, milestone: "ready" | "started" = "ready"): Promise<DaemonProcess> {
    const config = { nats: { url: this.nats.url, mode: "jetstream", ...nats } } as const;
    return this.#owned.use(await DaemonProcess.start({ config, until: milestone }));
  }

  /** Publishes this many distinct events with plain core publish. Resolves to their hashes once the server has read them. */
  async publish(events: number, client?: NatsConnection): Promise<readonly string[]> {
    const publisher = client ?? (await this.client());
    const hashes: string[] = [];
    for (let count = 0; count < events; count++) {
      const bytes = this.event();
      publisher.publish(CREATE, bytes);
      hashes.push(sha256(bytes));
      if (count % PENDING === PENDING - 1) await publisher.flush();
    }
    await publisher.flush();
    return hashes;
  }

  /** The next event, about a peer that the daemon does not dial. */
  event(): Uint8Array {
    const number = this.#published++;
    const peerId = peerIdOfName(`peer-${number % PEERS}`);
    return Buffer.from(envelopeOf({ peerId, address: null, relation: "NONE", fromApp: "oc-api", name: `event ${number}` }));
  }

  /** The stream's state. Retries, because a server that has just started may not know its streams yet. */
  async state(): Promise<StreamState> {
    const manager = await this.manager();
    return until("the stream's state is available", () =>
      manager.streams.info(STREAM).then(
        ({ state }) => state,
        () => undefined,
      ),
    );
  }

  /** The hashes of the stream's messages, in order. */
  async held(): Promise<readonly string[]> {
    const { messages, last_seq: last } = await this.state();
    if (messages === 0) return [];
    const client = await this.client();
    const consumer = await client.jetstream().consumers.get(STREAM, {});
    const reading = await consumer.consume({ max_messages: 4_096 });
    const hashes: string[] = [];
    for await (const message of reading) {
      hashes.push(sha256(message.data));
      if (message.seq >= last) break;
    }
    return hashes;
  }

  /** Waits until the daemon has logged everything that the stream holds now. */
  async taken(daemon: DaemonProcess): Promise<void> {
    const { last_seq: last } = await this.state();
    await daemon.until(`sequence ${last} is logged`, () => takenUpTo(daemon) === last, PATIENCE_MS);
  }

  /** Checks that every message of the stream is in the log once and in order. Other rows are ignored. */
  async expectHeldOnce(daemon: DaemonProcess): Promise<void> {
    await this.taken(daemon);
    const held = await this.held();
    const isHeld = new Set(held);
    assert.deepEqual(
      logged(daemon).filter((hash) => isHeld.has(hash)),
      held,
      "the messages or their order differ between the log and the stream",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** The newest sequence in the log; 0 before the first message. */
export function takenUpTo(daemon: DaemonProcess): number {
  return daemon.count("select coalesce(max(sequence), 0) from ingest_cursor");
}

/** The delivery mode that the daemon reports. */
export async function delivery(daemon: DaemonProcess): Promise<DeliveryView["delivery"]> {
  const view = (await (await daemon.fetch("/v1/delivery")).json()) as DeliveryView;
  return view.delivery;
}

/** The hashes of the messages in the log, in order. */
export function logged(daemon: DaemonProcess): readonly string[] {
  const rows = daemon.sql("select payload_sha256 from event_log where payload_sha256 is not null order by seq");
  return rows.map((row) => String(row["payload_sha256"]));
}

export function gaps(daemon: DaemonProcess): readonly Gap[] {
  const rows = daemon.sql(
    "select reason, stream_sequence as first, last_stream_sequence as last from event_log where type = 'DeliveryGap' order by seq",
  );
  return rows.map(({ reason, first, last }) => ({
    reason: String(reason),
    first: Number(first),
    last: last === null ? null : Number(last),
  }));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
