/** The messages of the source apps: about fifty peers with changing relations, plus the noise that the log must cope with. */
import type { Random } from "../../src/base/clock.ts";
import { envelope } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { loadSamples, type Sample } from "../support/samples.ts";

const CREATE = "CREATE_RESOURCE";
const REMOVE = "REMOVE_RESOURCE";

export interface LoadMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
}

const PEERS = 50;
/** Few, with a port that refuses connections, because a dial costs more CPU than a hundred messages. */
const PARTNERS = 4;
const QUIET_RELATIONS = ["NONE", "PENDING_PARTNER", "BLACKLIST", "SELF"] as const;
const MOST_GARBAGE_BYTES = 3_000;
const REMEMBERED = 64;

export class LoadMessages {
  readonly #peerIds: readonly string[];
  readonly #refused: readonly Sample[];
  readonly #ignored: readonly Sample[];
  readonly #recent: LoadMessage[] = [];
  #number = 0;

  private constructor(peerIds: readonly string[]) {
    this.#peerIds = peerIds;
    const [peerId = "", anotherPeerId = ""] = peerIds;
    const values = { peerId, anotherPeerId, address: address(peerId) };
    this.#refused = loadSamples("refused", values);
    this.#ignored = loadSamples("ignored", values);
  }

  static async create(): Promise<LoadMessages> {
    const seeds = Array.from({ length: PEERS }, (_, index) => index + 1);
    return new LoadMessages(await Promise.all(seeds.map(peerIdOfSeed)));
  }

  /** The next message; occasionally an exact copy of a recent one. */
  draw(random: Random): LoadMessage {
    const repeated = random.next() < 0.2 ? this.#recent[index(random, REMEMBERED)] : undefined;
    if (repeated !== undefined) return repeated;
    const message = this.#make(random);
    this.#recent[this.#number++ % REMEMBERED] = message;
    return message;
  }

  #make(random: Random): LoadMessage {
    const kind = random.next();
    if (kind < 0.5) return this.#created(random);
    if (kind < 0.6) return this.#removed(random);
    if (kind < 0.7) return { subject: CREATE, bytes: one(random, this.#refused).bytes };
    if (kind < 0.8) return { subject: REMOVE, bytes: random.bytes(index(random, MOST_GARBAGE_BYTES)) };
    if (kind < 0.9) return { subject: CREATE, bytes: one(random, this.#ignored).bytes };
    return resource(CREATE, { id: `workflow-${this.#number}` }, { Datatype: "WORKFLOW" });
  }

  #created(random: Random): LoadMessage {
    const isPartner = random.next() < 0.05;
    const number = isPartner ? index(random, PARTNERS) : PARTNERS + index(random, PEERS - PARTNERS);
    const relation = isPartner ? "PARTNER" : one(random, QUIET_RELATIONS);
    const peerId = this.#peerIds[number] ?? "";
    return resource(CREATE, {
      id: `resource-${number}`,
      name: `peer-${number}, message ${this.#number}`,
      peer_id: peerId,
      stream_address: address(peerId),
      relation,
    });
  }

  #removed(random: Random): LoadMessage {
    const number = index(random, PEERS);
    return resource(REMOVE, { id: `resource-${number}`, peer_id: this.#peerIds[number] ?? "" });
  }
}

function resource(subject: string, payload: object, overrides: Record<string, unknown> = {}): LoadMessage {
  const base64 = Buffer.from(JSON.stringify(payload)).toString("base64");
  return { subject, bytes: Buffer.from(JSON.stringify(envelope(base64, overrides))) };
}

const address = (peerId: string): string => `/ip4/127.0.0.1/tcp/1/p2p/${peerId}`;

const index = (random: Random, length: number): number => Math.floor(random.next() * length);

function one<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[index(random, values.length)];
  if (value === undefined) throw new Error("cannot draw from an empty list");
  return value;
}
