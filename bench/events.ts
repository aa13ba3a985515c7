/** Events as published by OpenCloud's apps, about a fixed number of changing peers. */
import type { NatsConnection } from "nats";
import { envelopeOf } from "../src/fixture/format/message.ts";
import { addressOfName, peerIdOfName } from "../src/fixture/format/names.ts";

const PEERS = 500;
const RELATIONS = ["PARTNER", "PARTNER", "PARTNER", "NONE", "BLACKLIST"] as const;
const ROUND = PEERS * RELATIONS.length;
/** Messages published before waiting for the server. */
const PENDING = 2_000;

let round: readonly Uint8Array[] | undefined;

/** The event at this index of an endless series, prepared in advance so that creating it is not measured. */
export function eventMessage(index: number): Uint8Array {
  round ??= Array.from({ length: ROUND }, (_, place) => new TextEncoder().encode(eventText(place)));
  return round[index % ROUND] ?? new Uint8Array();
}

/** Publishes by core NATS, like the apps; resolves once the server has all messages. */
export async function publishEvents(client: NatsConnection, events: number, firstIndex = 0): Promise<void> {
  for (let index = firstIndex; index < firstIndex + events; index++) {
    client.publish("CREATE_RESOURCE", eventMessage(index));
    if (index % PENDING === 0) await client.flush();
  }
  await client.flush();
}

function eventText(index: number): string {
  const name = `participant-${index % PEERS}`;
  const relation = RELATIONS[Math.floor(index / PEERS) % RELATIONS.length] ?? "NONE";
  const peerId = peerIdOfName(name);
  return envelopeOf({ peerId, address: `${addressOfName(name)}/p2p/${peerId}`, relation, fromApp: "oc-api", name });
}
