/** `oc-partnerd resync`: has the daemon read its whole stream once more, and waits until it has. */
import type { Clock } from "../../base/clock.ts";
import { pause } from "../../base/pause.ts";
import type { DaemonClient } from "../../http/client.ts";
import type { DeliveryView } from "../../views/api.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { type ProgressStream, progress } from "../terminal/progress.ts";

const LOOK_EVERY_MS = 100;
const FOR_EVER = new AbortController().signal;

/** What came of it, in a sentence. Rejects with `stream_missing` where events do not come from a stream. */
export async function resync(client: DaemonClient, clock: Clock, terminal: ProgressStream): Promise<string> {
  using _held = holdEventLoop();
  const before = await client.delivery();
  await client.resync();
  const shown = progress(terminal, "reading the stream again", before.stream?.sequence ?? 0, clock);
  let now: DeliveryView = await client.delivery();
  for (; now.rereading !== null; now = await client.delivery()) {
    shown.update(now.rereading.sequence);
    await pause(clock, LOOK_EVERY_MS, FOR_EVER);
  }
  shown.clear();
  const added = now.headSeq - before.headSeq;
  const found =
    added === 0 ? "the log had all of it" : `the log grew by ${added} rows, from seq ${before.headSeq} to ${now.headSeq}`;
  return `the stream was read again up to sequence ${before.stream?.sequence ?? 0}: ${found}\n${now.proven}`;
}
