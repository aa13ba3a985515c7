/** Events as OpenCloud's apps publish them, of a fixed number of peers that come, change and go. */
import type { NatsConnection } from "nats";
import { envelopeOf } from "../src/fixture/message.ts";
import { addressOfName, peerIdOfName } from "../src/fixture/names.ts";

const PEERS = 500;
const RELATIONS = ["PARTNER", "PARTNER", "PARTNER", "NONE", "BLACKLIST"] as const;
/** Published before the server is waited for. */
const PENDING = 2_000;

/** Plain core publishes, as the apps make them; resolves once the server has them all. */
export async function publishEvents(client: NatsConnection, events: number): Promise<void> {
  for (let index = 0; index < events; index++) {
    const name = `participant-${index % PEERS}`;
    const relation = RELATIONS[Math.floor(index / PEERS) % RELATIONS.length] ?? "NONE";
    const peerId = peerIdOfName(name);
    client.publish(
      "CREATE_RESOURCE",
      envelopeOf({ peerId, address: `${addressOfName(name)}/p2p/${peerId}`, relation, fromApp: "oc-api", name }),
    );
    if (index % PENDING === 0) await client.flush();
  }
  await client.flush();
}
