/** Opens far more streams at once than a connection may (docs/WIRE.md), so that the other end cuts it. */
import type { Connection, StreamMuxer } from "@libp2p/interface";

const STREAMS = 64;

/** Never rejects. Resets each stream at once, since no end has room for so many. */
export async function floodWithStreams(connection: Connection): Promise<void> {
  const { muxer } = connection as unknown as { readonly muxer: StreamMuxer };
  try {
    for (let count = 0; count < STREAMS; count++) (await muxer.createStream()).abort(new Error("one of many"));
  } catch {
    // The other end has cut the connection.
  }
}
