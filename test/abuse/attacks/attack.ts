/** The shape of an attack, and what attacks have in common. */
import { setTimeout as delay } from "node:timers/promises";
import { type RawConnection, type RawPeer, startRawPeer } from "../../support/raw-peer.ts";

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly httpPort: number;
  readonly peerId: string;
}

/** Attacks until the signal aborts. Refused and cut connections are expected: an attacker tries again. */
export type Attack = (target: Target, signal: AbortSignal) => Promise<void>;

export const multiaddrOf = ({ host, port, peerId }: Target): string => `/ip4/${host}/tcp/${port}/p2p/${peerId}`;

/** Calls `act` again and again, `parallel` times at once, whether it fails or not. */
export async function repeatedly(parallel: number, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (!signal.aborted) {
        await act().catch(() => {});
        // A refusal can be immediate; without a turn of the event loop the signal would never abort.
        await delay(5);
      }
    }),
  );
}

/** `parallel` peers; each connects, and then `act` has the connection until it closes or the attack is over. */
export async function withConnections(
  parallel: number,
  target: Target,
  signal: AbortSignal,
  act: (connection: RawConnection) => Promise<void>,
): Promise<void> {
  const peers = await Promise.all(Array.from({ length: parallel }, () => startRawPeer()));
  const withOne = async (peer: RawPeer) => {
    const connection = await peer.connect(multiaddrOf(target));
    try {
      await act(connection);
    } finally {
      connection.close();
    }
  };
  await Promise.all(peers.map((peer) => repeatedly(1, signal, () => withOne(peer))));
}

/** Sends what `next` returns for as long as the connection is open. Waits when the socket is full. */
export async function flood(connection: RawConnection, signal: AbortSignal, next: () => Uint8Array): Promise<void> {
  while (connection.isOpen && !signal.aborted) {
    let fits = true;
    for (let count = 0; fits && count < 200 && connection.isOpen; count++) fits = connection.send(next());
    await delay(fits ? 1 : 20);
  }
}
