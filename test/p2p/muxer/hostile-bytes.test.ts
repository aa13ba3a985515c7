import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { STREAM_WINDOW_BYTES } from "../../../src/p2p/muxer/frame-limits.ts";
import { PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { eventually, openDoor, startPartnerHost, type TestPartnerHost } from "../../support/partner-host.ts";
import { dataFrame, pingFrame, type RawConnection, type RawPeer, startRawPeer, synFrame } from "../../support/raw-peer.ts";

describe("a connection with hostile bytes", () => {
  let owner: AsyncDisposableStack;
  let host: TestPartnerHost;
  let attacker: RawPeer;
  let cuts: { code: string; message: string; peerId: PeerId | undefined }[];

  beforeEach(async () => {
    owner = new AsyncDisposableStack();
    cuts = [];
    const onCut = ({ code, message }: PartnerdError, peerId: PeerId | undefined) => cuts.push({ code, message, peerId });
    host = owner.use(await startPartnerHost(1, {}, openDoor({ onCut })));
    attacker = owner.use(await startRawPeer());
  });

  afterEach(() => owner.disposeAsync());

  const connect = () => attacker.connect(`/ip4/127.0.0.1/tcp/${host.port}/p2p/${host.peerId}`);

  async function expectCut(connection: RawConnection, code: string): Promise<void> {
    await connection.closed;
    await eventually(() => cuts.length > 0);
    expect(cuts).toMatchObject([{ code, peerId: attacker.peerId }]);
  }

  it("is cut by the header of a frame larger than the window, before any of its payload", async () => {
    const connection = await connect();
    connection.send(dataFrame(1, new Uint8Array(), { claimedLength: STREAM_WINDOW_BYTES + 1 }));
    await expectCut(connection, "frame_invalid");
    expect(cuts[0]?.message).toBe("yamux data frame of 262145 bytes exceeds the window of 262144 bytes");
  });

  it("is cut by a frame of another version", async () => {
    const connection = await connect();
    connection.send(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0));
    await expectCut(connection, "frame_invalid");
  });

  it("is cut by a flood of pings", async () => {
    const connection = await connect();
    connection.stopReading();
    for (let id = 0; id < 2_000; id++) connection.send(pingFrame(id));
    await expectCut(connection, "flooded");
  });

  it("is cut by a flood of new streams", async () => {
    const connection = await connect();
    for (let id = 1; id < 400; id += 2) connection.send(synFrame(id));
    await expectCut(connection, "flooded");
  });

  it("is cut when it does not read the echo of its challenges", async () => {
    const connection = await connect();
    connection.stopReading();
    for (const id of [1, 3, 5]) {
      connection.send(synFrame(id));
      connection.send(dataFrame(id, Buffer.from(`\x13/multistream/1.0.0\n\x15${PROBE_PROTOCOL}\n`)));
    }
    const chunk = new Uint8Array(32 * 1024);
    for (let count = 0; count < 200 && connection.isOpen; count++) {
      for (const id of [1, 3, 5]) connection.send(dataFrame(id, chunk));
      await new Promise(setImmediate);
    }
    await expectCut(connection, "buffer_full");
  });

  it("stays open with as many frames as an honest peer sends", async () => {
    const connection = await connect();
    for (let id = 0; id < 100; id++) connection.send(pingFrame(id));
    await eventually(() => connection.receivedBytes >= 100 * 12);
    expect(connection.isOpen).toBe(true);
    expect(cuts).toEqual([]);
  });
});
