/** The connections of one HTTP listener. They are bounded, but a new one always gets in: at the limit, another one yields. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type AddressGroup, addressGroupOf } from "../base/net/address-group.ts";

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface Entry {
  /** Undefined on a Unix socket. */
  readonly group: AddressGroup | undefined;
  /** The newest request on the connection; undefined before its headers are complete. */
  exchange: Exchange | undefined;
}

export class HttpConnections {
  readonly #limit: number;
  /** In the order of arrival. */
  readonly #open = new Map<Socket, Entry>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds a new connection. At the limit, another one is destroyed. */
  add(socket: Socket): void {
    if (this.#open.size >= this.#limit) this.#remove(this.#yielding());
    const { remoteAddress } = socket;
    const group = remoteAddress === undefined ? undefined : addressGroupOf(remoteAddress);
    this.#open.set(socket, { group, exchange: undefined });
    socket.once("close", () => this.#open.delete(socket));
  }

  /**
   * Notes that a request has begun. False if the one before it is still to be answered: a read may hold a thousand pipelined requests,
   * whose answers would be computed without a pause.
   */
  began(request: IncomingMessage, response: ServerResponse): boolean {
    const entry = this.#open.get(request.socket);
    if (entry === undefined || entry.exchange?.response.writableEnded === false) return false;
    entry.exchange = { request, response };
    return true;
  }

  #remove(socket: Socket | undefined): void {
    if (socket === undefined) return;
    this.#open.delete(socket);
    socket.destroy();
  }

  /**
   * The oldest connection that waits for its client, of the address or IPv6 /64 that has most connections: one host cannot
   * displace the others. If all of them are being answered, the oldest: answers take milliseconds, so its client does not read.
   */
  #yielding(): Socket | undefined {
    const counts = new Map<AddressGroup | undefined, number>();
    for (const { group } of this.#open.values()) counts.set(group, (counts.get(group) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const candidates = [...this.#open].filter(([, { group }]) => counts.get(group) === most);
    const [socket] = candidates.find(([, { exchange }]) => !isBeingAnswered(exchange)) ?? candidates[0] ?? [];
    return socket;
  }
}

/** From the last byte of the request until the system has taken the last one of the answer. */
function isBeingAnswered(exchange: Exchange | undefined): boolean {
  return exchange?.request.complete === true && !exchange.response.writableFinished;
}
