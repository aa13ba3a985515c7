/** Reading a stream to the end of its input. */
import type { HostStream, HostStreamEvents } from "../host/host.ts";

/** Calls `onChunk` with each chunk until the far end closes its side or it returns true. Rejects with what it throws. */
export function readUntilEnd(stream: HostStream, onChunk: (chunk: Uint8Array) => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onMessage = (event: HostStreamEvents["message"]) => {
    try {
      if (onChunk(event.data.subarray())) resolve();
    } catch (error) {
      reject(error as Error);
    }
  };
  // If a frame carries both data and FIN, the end is announced first and the data delivered right after.
  const onEnd = () => queueMicrotask(resolve);
  const onClose = (event: HostStreamEvents["close"]) => (event.error === undefined ? onEnd() : reject(event.error));
  stream.addEventListener("message", onMessage);
  stream.addEventListener("remoteCloseWrite", onEnd);
  stream.addEventListener("close", onClose);
  // The end may have come earlier. Data buffered until now is delivered in an earlier microtask than this one.
  if (stream.remoteWriteStatus === "closed") onEnd();
  return promise.finally(() => {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("remoteCloseWrite", onEnd);
    stream.removeEventListener("close", onClose);
  });
}
