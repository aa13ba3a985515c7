/** A stream and a connection of a host that do nothing by themselves: the test plays the far end. */
import type { HostConnection, HostStream } from "../../src/p2p/host/host.ts";
import { PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { PEER_B } from "./peers.ts";

export class FakeStream extends EventTarget {
  readonly protocol = PARTNER_PROTOCOL;
  readonly direction = "inbound";
  status: HostStream["status"] = "open";
  readonly remoteWriteStatus = "writable";
  /** The errors that it was aborted with. */
  readonly aborts: Error[] = [];
  /** Whether the far end reads what is sent. */
  isRead = true;

  send(): boolean {
    return this.isRead;
  }

  async close(): Promise<void> {}

  abort(error: Error): void {
    this.status = "aborted";
    this.aborts.push(error);
  }

  /** The far end sends this many bytes. */
  receive(bytes: number): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data: new Uint8Array(bytes) }));
  }

  drain(): void {
    this.dispatchEvent(new Event("drain"));
  }

  asStream(): HostStream {
    return this as unknown as HostStream;
  }
}

/** An open connection to PEER_B, with these properties. */
export const fakeConnection = (change: Partial<HostConnection> = {}): HostConnection => ({
  remotePeer: PEER_B,
  direction: "outbound",
  status: "open",
  streams: [],
  newStream: () => new Promise(() => {}),
  close: async () => {},
  abort: () => {},
  ...change,
});
