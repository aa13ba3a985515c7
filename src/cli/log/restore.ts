/** `oc-partnerd restore`: a sound log in the place of a damaged one, and what that costs, said plainly. */
import { Command } from "commander";
import { type Clock, systemClock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { counted } from "../../base/units.ts";
import type { Cursor } from "../../store/model/cursor.ts";
import type { Restored, RestoredBackup } from "../../store/recovery/restore.ts";
import type { LostRows, Salvaged } from "../../store/recovery/salvage.ts";
import { CONFIG_FLAG, configOf, type DaemonFlags, type Env, example } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { print } from "../terminal/output.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";
import { headText } from "./log-place.ts";

interface RestoreFlags extends DaemonFlags {
  readonly from?: string;
  readonly fromJetstream: boolean;
}

export function restoreCommand(env: Env): Command {
  return new Command("restore")
    .description("put a sound log in the place of a damaged one, which is set aside; the daemon must not run")
    .option("--data <dir>", "the daemon's data directory")
    .option(...CONFIG_FLAG)
    .option("--from <file>", "a backup")
    .option("--from-jetstream", "keep what the chain proves, and let the daemon read the rest from the stream again", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd restore --data /var/lib/oc-partnerd --from /var/backups/oc-partnerd.db",
        "oc-partnerd restore --data /var/lib/oc-partnerd --from-jetstream",
      ),
    )
    .action(async ({ from, fromJetstream: fromJetStream, ...flags }: RestoreFlags) => {
      const { data } = configOf(flags, env);
      print(await runRestore({ data, from, fromJetStream, clock: systemClock, terminal: process.stderr }));
    });
}

interface RestoreRequest {
  /** The data directory. */
  readonly data: string;
  /** A backup. */
  readonly from: string | undefined;
  readonly fromJetStream: boolean;
  readonly clock: Pick<Clock, "wallMs">;
  readonly terminal: ProgressStream;
}

/** What was done, and what is gone, as text. Throws usage, and what restoreBackup and salvage throw. */
export async function runRestore({ data, from, fromJetStream, clock, terminal }: RestoreRequest): Promise<string> {
  if ((from === undefined) !== fromJetStream)
    throw new PartnerdError("usage", "restore takes either --from FILE or --from-jetstream", {
      nextStep: "name a backup with --from, or keep what can be proved of the log with --from-jetstream",
    });
  using _held = holdEventLoop();
  using shown = stepProgress(terminal);
  const [directory, nowMs] = [data, clock.wallMs()];
  if (from === undefined) {
    const { salvage } = await import("../../store/recovery/salvage.ts");
    const onProgress = (rows: number, total: number) => shown.update("proving the log", rows, total);
    return salvagedText(salvage({ directory, nowMs, onProgress }));
  }
  const { restoreBackup } = await import("../../store/recovery/restore.ts");
  const restored = await restoreBackup({
    directory,
    from,
    nowMs,
    onCopied: (pages, total) => shown.update("copying pages", pages, total),
    onChecked: (rows, total) => shown.update("checking the copy", rows, total),
  });
  return restoredText(from, restored);
}

function restoredText(from: string, restored: RestoredBackup): string {
  const { events, head, lastSeqBefore } = restored;
  const gone =
    lastSeqBefore === null || lastSeqBefore <= head.seq
      ? []
      : [`gone from the log: seq ${head.seq + 1} to ${lastSeqBefore}, which the backup does not have`];
  return [
    `restored ${from}: ${counted(events, "event")}, ${headText(head)}`,
    ...gone,
    ...(gone.length > 0 ? ["lost for good of it: what the daemon had observed itself, and what came by core NATS"] : []),
    ...commonLines(restored),
  ].join("\n");
}

function salvagedText(salvaged: Salvaged): string {
  const { events, head, lost } = salvaged;
  const kept =
    events === 0
      ? "nothing could be proved: the log begins anew, empty"
      : `kept ${counted(events, "event")} that the chain proves`;
  return [`${kept}, ${headText(head)}`, ...(lost === null ? [] : lostLines(lost)), ...commonLines(salvaged)].join("\n");
}

function lostLines({ firstSeq, lastSeq, fromStream, byCore, observed, unreadable }: LostRows): string[] {
  const unknown = unreadable === 0 ? "" : `, ${unreadable} that cannot be read`;
  return [
    `gone from the log: seq ${firstSeq} to ${lastSeq}: ${counted(fromStream, "message")} of the stream, ${byCore} by core NATS, ${observed} observed${unknown}`,
    "lost for good of it: what was observed and what came by core NATS; messages of the stream come again if it still holds them",
  ];
}

function commonLines({ setAside, cursor }: Restored): string[] {
  return [
    ...(setAside === null ? [] : [`set aside: ${setAside}, with what belongs to it`]),
    `next: start the daemon; ${cursor === null ? "the log follows no stream yet, and the daemon takes one that it finds from its beginning" : readAgain(cursor)}`,
  ];
}

function readAgain({ stream, sequence }: Cursor): string {
  return `it reads stream ${stream} from sequence ${sequence + 1} on`;
}
