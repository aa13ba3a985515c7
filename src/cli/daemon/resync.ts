/** `oc-partnerd resync`: has the daemon read its whole stream once more, and waits until it has. */
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { pause } from "../../base/pause.ts";
import { counted } from "../../base/units.ts";
import { type DaemonClient, daemonClient } from "../../http/client.ts";
import type { DeliveryView } from "../../views/api.ts";
import { CONFIG_FLAG, configOf, type DaemonFlags, type Env, example, HTTP_FLAG } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { print } from "../terminal/output.ts";
import { progress } from "../terminal/progress.ts";

const LOOK_EVERY_MS = 100;
const FOR_EVER = new AbortController().signal;

export function resyncCommand(env: Env): Command {
  return new Command("resync")
    .description("the daemon reads its whole stream once more; what the log has already is not appended again")
    .option(...HTTP_FLAG)
    .option(...CONFIG_FLAG)
    .addHelpText("after", example("oc-partnerd resync   # after events.peerDatatypes was widened, say"))
    .action(async (flags: DaemonFlags) => print(await runResync(daemonClient(configOf(flags, env).http))));
}

/** What came of it, in a sentence. Rejects with `stream_missing` where events do not come from a stream. */
async function runResync(client: DaemonClient): Promise<string> {
  using _held = holdEventLoop();
  const before = await client.delivery();
  await client.resync();
  const shown = progress(process.stderr, "reading the stream again", before.stream?.sequence ?? 0);
  let now: DeliveryView = await client.delivery();
  for (; now.rereading !== null; now = await client.delivery()) {
    shown.update(now.rereading.sequence);
    await pause(clock, LOOK_EVERY_MS, FOR_EVER);
  }
  shown.clear();
  const added = now.headSeq - before.headSeq;
  const found =
    added === 0
      ? "the log had all of it"
      : `the log grew by ${counted(added, "row")}, from seq ${before.headSeq} to ${now.headSeq}`;
  return `the stream was read again up to sequence ${before.stream?.sequence ?? 0}: ${found}\n${now.proven}`;
}
