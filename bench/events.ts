/** Events as OpenCloud's apps publish them, of a fixed number of peers that come, change and go. */
import type { NatsConnection } from "nats";
import { envelopeOf } from "../src/fixture/format/message.ts";
import { addressOfName, peerIdOfName } from "../src/fixture/format/names.ts";

const PEERS = 500;
const RELATIONS = ["PARTNER", "PARTNER", "PARTNER", "NONE", "BLACKLIST"] as const;
const ROUND = PEERS * RELATIONS.length;
/** Published before the server is waited for. */
const PENDING = 2_000;

let round: readonly Uint8Array[] | undefined;

/** The event at this place of an endless series; made beforehand, so that making it costs no time that is measured. */
export function eventMessage(index: number): Uint8Array {
  round ??= Array.from({ length: ROUND }, (_, place) => new TextEncoder().encode(eventText(place)));
  return round[index % ROUND] ?? new Uint8Array();
}

/** Plain core publishes, as the apps make them; resolves once the server has them all. */
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
