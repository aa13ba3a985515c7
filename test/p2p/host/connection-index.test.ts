import { describe, expect, it } from "vitest";
import { ConnectionIndex, closeBounded } from "../../../src/p2p/host/connection-index.ts";
import type { Host, HostConnection } from "../../../src/p2p/host/host.ts";
import { CONNECTION_CLOSE_TIMEOUT_MS } from "../../../src/p2p/wire/constants.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { fakeConnection } from "../../support/fake-stream.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

class FakeNode extends EventTarget {
  connections: HostConnection[] = [];
  getConnections = (): HostConnection[] => this.connections;
  announce(type: "connection:open" | "connection:close", connection: HostConnection): void {
    this.dispatchEvent(new CustomEvent(type, { detail: connection }));
  }
}

const connectionTo = (remotePeer: string, status = "open") => ({ remotePeer, status }) as unknown as HostConnection;

describe("ConnectionIndex", () => {
  it("lists open connections, newest first, including those from before it was created", () => {
    const node = new FakeNode();
    const before = connectionTo(PEER_A);
    node.connections = [before];
    const opened: HostConnection[] = [];
    using book = new ConnectionIndex(node as unknown as Host, (connection) => opened.push(connection));
    const [after, other] = [connectionTo(PEER_A), connectionTo(PEER_B)];
    node.announce("connection:open", after);
    node.announce("connection:open", other);
    expect(book.of(PEER_A)).toEqual([after, before]);
    expect(opened).toEqual([after, other]);
    expect(book.count).toBe(3);

    node.announce("connection:close", before);
    node.announce("connection:close", after);
    node.announce("connection:close", after);
    expect([book.has(PEER_A), book.has(PEER_B), book.count]).toEqual([false, true, 1]);
  });

  it("does not keep a connection that died while opening, whose close is never reported", () => {
    const node = new FakeNode();
    using book = new ConnectionIndex(node as unknown as Host, () => expect.unreachable());
    node.announce("connection:open", connectionTo(PEER_A, "closed"));
    expect([book.has(PEER_A), book.count]).toEqual([false, 0]);
  });

  it("ignores events after it is disposed", () => {
    const node = new FakeNode();
    const book = new ConnectionIndex(node as unknown as Host, () => expect.unreachable());
    book[Symbol.dispose]();
    node.announce("connection:open", connectionTo(PEER_A));
    expect(book.count).toBe(0);
  });
});

describe("closing a connection", () => {
  const aborts: Error[] = [];
  const closing = (close: HostConnection["close"], clock = new VirtualClock()) => {
    aborts.length = 0;
    return closeBounded(fakeConnection({ close, abort: (error) => aborts.push(error) }), clock);
  };

  it("is graceful if the far end closes, too", async () => {
    await closing(async () => {});
    expect(aborts).toEqual([]);
  });

  it("aborts it if that takes too long, or fails", async () => {
    const clock = new VirtualClock();
    const closed = closing(() => new Promise(() => {}), clock);
    await clock.advance(CONNECTION_CLOSE_TIMEOUT_MS - 1);
    expect(aborts).toEqual([]);
    await clock.advance(1);
    await closed;
    expect(aborts).toMatchObject([{ code: "timeout" }]);
    expect(clock.pendingTimers).toBe(0);

    await closing(() => Promise.reject(new Error("it is gone")));
    expect(aborts).toMatchObject([{ message: "it is gone" }]);
  });
});
