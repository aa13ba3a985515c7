import type { Connection, Stream } from "@libp2p/interface";
import { beforeEach, describe, expect, it } from "vitest";
import type { RemoteEnd } from "../../../src/base/errors.ts";
import { NO_CUTS } from "../../../src/p2p/budgets/cuts.ts";
import { PartnerStream } from "../../../src/p2p/heartbeat/partner-stream.ts";
import { settled } from "../../../src/sim/time/virtual-clock.ts";

class FakeStream extends EventTarget {
  status = "open";
  remoteWriteStatus = "writable";
  canTakeMore = true;
  aborts = 0;
  readonly sent: Uint8Array[] = [];

  send(bytes: Uint8Array): boolean {
    this.sent.push(bytes);
    return this.canTakeMore;
  }

  abort(): void {
    this.aborts++;
    this.end("close", "aborted");
  }

  end(type: "close" | "remoteCloseWrite", status: string): void {
    this.status = status;
    this.dispatchEvent(new Event(type));
  }
}

describe("PartnerStream", () => {
  const bytes = Uint8Array.of(1);
  let fake: FakeStream;
  let stream: PartnerStream;
  let ends: RemoteEnd[];

  const wrap = () => new PartnerStream(fake as unknown as Stream, {} as Connection, NO_CUTS);

  beforeEach(() => {
    fake = new FakeStream();
    stream = wrap();
    ends = [];
    stream.onRemoteEnd = (reason) => ends.push(reason);
  });

  it("waits for the drain event every time the stream is full", async () => {
    fake.canTakeMore = false;
    for (let writes = 0; writes < 2; writes++) {
      let done = false;
      const writing = stream.write(bytes, stream.ended).then(() => {
        done = true;
      });
      await settled();
      expect(done).toBe(false);
      fake.dispatchEvent(new Event("drain"));
      await writing;
    }
  });

  it("stops waiting when its signal aborts or the stream ends", async () => {
    fake.canTakeMore = false;
    const controller = new AbortController();
    const abandoned = stream.write(bytes, controller.signal);
    controller.abort();
    await expect(abandoned).rejects.toThrow();
    const cutOff = stream.write(bytes, stream.ended);
    fake.end("close", "reset");
    await expect(cutOff).rejects.toThrow();
  });

  it.each([
    ["remoteCloseWrite", "open", "remote_closed"],
    ["close", "reset", "reset"],
    ["close", "closed", "connection_lost"],
    ["close", "aborted", "connection_lost"],
  ] as const)("reports %s with status %s as %s, once", (type, status, reason) => {
    fake.end(type, status);
    fake.end("close", "closed");
    expect(ends).toEqual([reason]);
    expect(stream.ended.aborted).toBe(true);
    expect(fake.aborts).toBe(1);
  });

  it("does not mistake our own abort for the far end's", () => {
    stream.abort(new Error("ours"));
    stream.abort(new Error("again"));
    expect([ends.length, fake.aborts]).toEqual([0, 1]);
    expect(stream.ended.reason).toEqual(new Error("ours"));
  });

  it.each([
    ["open", "closed"],
    ["closed", "writable"],
  ])("detects a stream that ended before it was wrapped (status %s, far end %s)", (status, remoteWriteStatus) => {
    Object.assign(fake, { status, remoteWriteStatus });
    expect(wrap().ended.aborted).toBe(true);
  });
});
