/** Stands in for the source app: a NATS client that publishes resources with plain core publish. */
import { connect, type NatsConnection } from "nats";
import { CREATE, REMOVE } from "./messages.ts";
import type { NatsServer } from "./nats-server.ts";

/** The peer that an event is about. `address` ends in `/p2p/<peerId>`. */
export interface PeerRecord {
  readonly peerId: string;
  readonly address: string;
  readonly name?: string;
}

export class Publisher implements AsyncDisposable {
  readonly #client: NatsConnection;

  private constructor(client: NatsConnection) {
    this.#client = client;
  }

  static async connect(server: Pick<NatsServer, "url">, credentials: { user?: string; pass?: string } = {}): Promise<Publisher> {
    return new Publisher(await connect({ servers: [server.url], reconnect: false, ...credentials }));
  }

  /** Publishes a CREATE_RESOURCE that gives the peer this relation. */
  async relate(peer: PeerRecord, relation: string): Promise<void> {
    await this.publish(CREATE, envelope(peer, relation));
  }

  async remove(peer: PeerRecord): Promise<void> {
    await this.publish(REMOVE, envelope(peer, "NONE"));
  }

  /** Resolves when the server has the message. */
  async publish(subject: string, payload: Uint8Array | string): Promise<void> {
    this.#client.publish(subject, payload);
    await this.#client.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}

/** As marshalled by Go: the payload is a []byte, so it becomes base64. A peer always has the same resource id. */
function envelope({ peerId, address, name = "partner" }: PeerRecord, relation: string): string {
  const record = { id: `resource-of-${peerId}`, name, peer_id: peerId, stream_address: address, relation };
  return JSON.stringify({ FromApp: "oc-api", Datatype: "PEER", Payload: Buffer.from(JSON.stringify(record)).toString("base64") });
}
