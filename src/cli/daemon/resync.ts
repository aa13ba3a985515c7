/** `oc-partnerd resync`: makes the daemon read its whole broker stream again, and waits until it is done. */
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { pause } from "../../base/pause.ts";
import { counted } from "../../base/units.ts";
import type { DaemonClient } from "../../http/client.ts";
import type { DeliveryView } from "../../views/api.ts";
import { clientOf, TOKEN_FLAG, type TokenFlag } from "../terminal/daemon-client.ts";
import { CONFIG_FLAG, configOf, type DaemonFlags, type Env, example, HTTP_FLAG } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { print } from "../terminal/output.ts";
import { progress } from "../terminal/progress.ts";

const POLL_MS = 100;
const NEVER = new AbortController().signal;

export function resyncCommand(env: Env): Command {
  return new Command("resync")
    .description("make the daemon read its whole stream again; messages that are already in the log are skipped")
    .option(...HTTP_FLAG)
    .option(...TOKEN_FLAG)
    .option(...CONFIG_FLAG)
    .addHelpText("after", example("oc-partnerd resync   # use it after widening events.peerDatatypes"))
    .action(async (flags: DaemonFlags & TokenFlag) => print(await runResync(clientOf(configOf(flags, env), flags, "write"))));
}

/** The result in a sentence. Rejects with `stream_missing` if the daemon does not read from a broker stream. */
async function runResync(client: DaemonClient): Promise<string> {
  using _held = holdEventLoop();
  const before = await client.delivery();
  await client.resync();
  const shown = progress(process.stderr, "reading the stream again", before.stream?.sequence ?? 0);
  let now: DeliveryView = await client.delivery();
  for (; now.rereading !== null; now = await client.delivery()) {
    shown.update(now.rereading.sequence);
    await pause(clock, POLL_MS, NEVER);
  }
  shown.clear();
  const added = now.headSeq - before.headSeq;
  const found =
    added === 0 ? "found nothing new" : `added ${counted(added, "row")} to the log, seq ${before.headSeq + 1} to ${now.headSeq}`;
  return `read the stream again up to sequence ${before.stream?.sequence ?? 0}: ${found}\n${now.proven}`;
}
