/** Open connections by peer. libp2p knows them too, but its lookup is slow with thousands of connections. */
import { type Clock, deadline } from "../../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import { CONNECTION_CLOSE_TIMEOUT_MS, PARTNER_PROTOCOL } from "../wire/constants.ts";
import type { Host, HostConnection, HostEvents, RemotePeer } from "./host.ts";

/** libp2p's text of a PeerID is the canonical one that our parser gives. */
export const peerIdOf = (peerId: RemotePeer): PeerId => peerId.toString() as PeerId;

export class ConnectionIndex implements Disposable {
  readonly #host: Host;
  readonly #onOpened: (connection: HostConnection, peerId: PeerId) => void;
  readonly #byPeer = new Map<PeerId, Set<HostConnection>>();
  #count = 0;

  /** Calls `onOpened` for every connection that opens from now on. */
  constructor(host: Host, onOpened: (connection: HostConnection, peerId: PeerId) => void) {
    this.#host = host;
    this.#onOpened = onOpened;
    for (const connection of host.getConnections()) this.#add(connection);
    host.addEventListener("connection:open", this.#opened);
    host.addEventListener("connection:close", this.#closed);
  }

  /** How many connections are open. */
  get count(): number {
    return this.#count;
  }

  has(peerId: PeerId): boolean {
    return this.#byPeer.has(peerId);
  }

  /** Whether an open connection was dialled by us. */
  hasDialled(peerId: PeerId): boolean {
    for (const { direction, status } of this.#byPeer.get(peerId) ?? []) {
      if (direction === "outbound" && status === "open") return true;
    }
    return false;
  }

  /** The open connections to this peer, the newest first. */
  of(peerId: PeerId): readonly HostConnection[] {
    return [...(this.#byPeer.get(peerId) ?? [])].filter((connection) => connection.status === "open").reverse();
  }

  /** All connections to this peer, also those that are closing. */
  all(peerId: PeerId): readonly HostConnection[] {
    return [...(this.#byPeer.get(peerId) ?? [])];
  }

  [Symbol.dispose](): void {
    this.#host.removeEventListener("connection:open", this.#opened);
    this.#host.removeEventListener("connection:close", this.#closed);
  }

  readonly #opened = (event: HostEvents["connection:open"]): void => {
    if (this.#add(event.detail)) this.#onOpened(event.detail, peerIdOf(event.detail.remotePeer));
  };

  readonly #closed = (event: HostEvents["connection:open"]): void => {
    const peerId = peerIdOf(event.detail.remotePeer);
    const connections = this.#byPeer.get(peerId);
    if (connections?.delete(event.detail) === true) this.#count--;
    if (connections?.size === 0) this.#byPeer.delete(peerId);
  };

  /** Ignores a connection that has closed already: it raises no close event, so it would never be removed. */
  #add(connection: HostConnection): boolean {
    if (connection.status !== "open") return false;
    const peerId = peerIdOf(connection.remotePeer);
    const connections = this.#byPeer.get(peerId) ?? new Set();
    if (connections.has(connection)) return false;
    this.#byPeer.set(peerId, connections.add(connection));
    this.#count++;
    return true;
  }
}

/** Whether any partner stream, proven or not, is open on the connection. */
export function carriesPartnerStream(connection: HostConnection): boolean {
  return connection.streams.some((stream) => stream.protocol === PARTNER_PROTOCOL && stream.status === "open");
}

/** Closes gracefully within a second, else aborts. Never rejects. */
export async function closeBounded(connection: HostConnection, clock: Clock): Promise<void> {
  using limit = deadline(clock, CONNECTION_CLOSE_TIMEOUT_MS, () => new PartnerdError("timeout", "the connection did not close"));
  try {
    await abortable(connection.close({ signal: limit.signal }), limit.signal);
  } catch (error) {
    connection.abort(toPartnerdError(error));
  }
}
