/** `oc-partnerd resync`: makes the daemon read its whole broker stream again, and waits until it is done. */
import { Command } from "commander";
import { type Clock, systemClock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import { counted, durationText } from "../../base/units.ts";
import type { DaemonClient } from "../../http/client.ts";
import type { DeliveryView } from "../../views/api.ts";
import { copyable } from "../terminal/command-line.ts";
import { clientOf, TOKEN_FLAG, type TokenFlag } from "../terminal/daemon-client.ts";
import { CONFIG_FLAG, configOf, type DaemonFlags, type Env, example, HTTP_FLAG } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { print } from "../terminal/output.ts";
import { type ProgressStream, progress } from "../terminal/progress.ts";

const POLL_MS = 100;
/** Without progress. Reading restarts within a fraction of a second, so after this time the reason is shown. */
const EXPLAIN_MS = 2_000;
const GIVE_UP_MS = 30_000;
const NEVER = new AbortController().signal;

export function resyncCommand(env: Env): Command {
  return new Command("resync")
    .description("make the daemon read its whole stream again; messages that are already in the log are skipped")
    .option(...HTTP_FLAG)
    .option(...TOKEN_FLAG)
    .option(...CONFIG_FLAG)
    .addHelpText("after", example("oc-partnerd resync   # use it after widening events.peerDatatypes"))
    .action(async (flags: DaemonFlags & TokenFlag) =>
      print(await runResync(clientOf(configOf(flags, env), flags, "write"), systemClock, process.stderr)),
    );
}

/**
 * The result in a sentence; `output` gets the progress, and the reason for a wait. Rejects with `stream_missing` if the daemon does
 * not read from a broker stream, and after 30 s without progress with `database_failed` if the log cannot be written, or else with
 * `nats_unavailable`.
 */
export async function runResync(client: DaemonClient, clock: Clock, output: ProgressStream): Promise<string> {
  using _held = holdEventLoop();
  const before = await client.delivery();
  await client.resync();
  const now = await untilReread(client, clock, output, before.stream?.sequence ?? 0);
  const added = now.headSeq - before.headSeq;
  const found =
    added === 0 ? "found nothing new" : `added ${counted(added, "row")} to the log, seq ${before.headSeq + 1} to ${now.headSeq}`;
  return `read the stream again up to sequence ${before.stream?.sequence ?? 0}: ${found}\n${now.proven}`;
}

async function untilReread(client: DaemonClient, clock: Clock, output: ProgressStream, total: number): Promise<DeliveryView> {
  const shown = progress(output, "reading the stream again", total);
  // If the resync starts over, it makes progress once it is beyond the furthest sequence that it had reached.
  let [furthest, movedAtMs, isExplained] = [-1, clock.monotonicMs(), false];
  for (;;) {
    const now = await client.delivery();
    if (now.rereading === null) {
      shown.clear();
      return now;
    }
    if (now.rereading.sequence > furthest)
      [furthest, movedAtMs, isExplained] = [now.rereading.sequence, clock.monotonicMs(), false];
    const stuckMs = clock.monotonicMs() - movedAtMs;
    if (stuckMs >= GIVE_UP_MS) {
      shown.clear();
      throw stuck(await waitReason(client));
    }
    if (stuckMs >= EXPLAIN_MS && !isExplained) {
      isExplained = true;
      const { text } = await waitReason(client);
      shown.clear();
      output.write(`waiting up to ${durationText(GIVE_UP_MS)} for the daemon to read the stream; ${text}\n`);
    }
    if (!isExplained) shown.update(now.rereading.sequence);
    await pause(clock, POLL_MS, NEVER);
  }
}

interface WaitReason {
  readonly code: "database_failed" | "nats_unavailable";
  readonly text: string;
}

/** The failing checks of the log and of NATS; if both pass, that of NATS. The other checks do not keep the daemon from reading. */
async function waitReason(client: DaemonClient): Promise<WaitReason> {
  const { checks } = await client.readiness();
  const needed = checks.filter(({ name }) => name === "event_log" || name === "nats");
  const failing = needed.filter(({ ok }) => !ok);
  const told = failing.length > 0 ? failing : needed.filter(({ name }) => name === "nats");
  return {
    code: failing.some(({ name }) => name === "event_log") ? "database_failed" : "nats_unavailable",
    text: copyable(told.map(({ name, message }) => `${name}: ${message}`).join("; ")),
  };
}

function stuck({ code, text }: WaitReason): PartnerdError {
  return new PartnerdError(code, `the daemon has not read the stream for ${durationText(GIVE_UP_MS)}; ${text}`, {
    nextStep:
      "fix what the message names; the daemon then resumes the resync, and `oc-partnerd status` shows when it reads the stream",
  });
}
