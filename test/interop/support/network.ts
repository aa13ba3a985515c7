/** Relays in front of a far end, or of our daemon: TCP proxies of this process, and one that loses packets. */
import { platform } from "node:os";
import type { Participant } from "../../support/participant.ts";
import type { PeerRecord } from "../../support/publisher.ts";
import { GoPartner } from "./go-partner.ts";

/** Why no packets can be lost on this machine, or undefined if they can. Some kernels allow socket filters to root alone. */
export const NO_PACKET_LOSS = await problemOfLossyRelay();

async function problemOfLossyRelay(): Promise<string | undefined> {
  if (platform() !== "linux") return "the relay that loses packets needs Linux's socket filters";
  try {
    using _relay = await startLossyRelay(1, 1);
    return undefined;
  } catch (error) {
    return `the relay that loses packets does not start: ${String(error)}`;
  }
}

/** The peer as it is reached through a relay on this port. */
export function through(port: number, { peerId }: Pick<PeerRecord, "peerId">): PeerRecord {
  return { peerId, address: `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}` };
}

/** Relays to `targetPort` and drops this percentage of the TCP segments that arrive. SIGUSR1: all of them; SIGUSR2: as before. */
export function startLossyRelay(targetPort: number, percent: number): Promise<GoPartner> {
  return GoPartner.start("newest", "-relay", String(targetPort), "-loss", String(percent));
}

/** When the open stream of this peer opened; undefined if there is none. The same time later: it never closed. */
export async function openedAt(
  { daemon }: Participant,
  { peerId }: Pick<PeerRecord, "peerId">,
  direction: "outbound" | "inbound",
): Promise<string | undefined> {
  return (await daemon.peer(peerId))?.[direction]?.openedAt;
}
