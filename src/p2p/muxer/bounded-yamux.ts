/** Yamux with bounded memory and work per connection: every frame passes a guard before the library sees it. */
import { yamux } from "@chainsafe/libp2p-yamux";
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import type { ConnectionMeter } from "../budgets/connection-meter.ts";
import { MAX_STREAMS_PER_CONNECTION, MAX_UNSENT_BYTES } from "../wire/constants.ts";
import { FrameGuard } from "./frame-guard.ts";
import { STREAM_WINDOW_BYTES } from "./frame-limits.ts";
import { interceptBytes, piecesOf } from "./intercept.ts";

export interface BoundedYamuxInit {
  readonly clock: Clock;
  /** The meter of a connection, given its encrypted stream. */
  readonly meterOf: (connection: MessageStream) => ConnectionMeter;
  /** The far end has exceeded a limit. Called with the error of the limit, before the streams end. */
  readonly onExceeded: (connection: MessageStream, error: unknown) => void;
}

const createYamux = yamux({
  // Ours must be the only pings: two outstanding ones end in an unexpected pong.
  enableKeepAlive: false,
  maxInboundStreams: MAX_STREAMS_PER_CONNECTION,
  maxOutboundStreams: MAX_STREAMS_PER_CONNECTION,
  streamOptions: {
    // With a window larger than the read buffer, a slow reader resets its own stream.
    initialStreamWindowSize: STREAM_WINDOW_BYTES,
    maxStreamWindowSize: STREAM_WINDOW_BYTES,
    maxReadBufferLength: STREAM_WINDOW_BYTES,
    maxWriteBufferLength: MAX_UNSENT_BYTES,
  },
});

/** A connection that exceeds a limit is cut with the PartnerdError of the limit. */
export function boundedYamux({ clock, meterOf, onExceeded }: BoundedYamuxInit): () => StreamMuxerFactory {
  return () => {
    const factory = createYamux();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      connection.maxWriteBufferLength = MAX_UNSENT_BYTES;
      const muxer = createStreamMuxer(connection);
      const guard = new FrameGuard(muxer, meterOf(connection), clock, () => connection.writeBufferLength);
      interceptBytes(muxer, (bytes, pass) => {
        try {
          for (const piece of piecesOf(bytes)) guard.receive(piece, pass);
        } catch (thrown) {
          onExceeded(connection, thrown);
          throw thrown;
        }
      });
      return muxer;
    };
    return factory;
  };
}
