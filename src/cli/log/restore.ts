/** `oc-partnerd restore`: replaces a damaged log with a sound one, and reports what is lost. */
import { Command } from "commander";
import { type Clock, systemClock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { counted } from "../../base/units.ts";
import type { Cursor } from "../../store/model/cursor.ts";
import type { Restored, RestoredBackup } from "../../store/recovery/restore.ts";
import type { LostRows, Salvaged } from "../../store/recovery/salvage.ts";
import { nextStepFor } from "../terminal/command-line.ts";
import { CONFIG_FLAG, configOf, DATA_FLAG, type DaemonFlags, type Env, example } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { print } from "../terminal/output.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";
import { headText } from "./log-place.ts";
import { identityLines } from "./restored-identity.ts";

interface RestoreFlags extends DaemonFlags {
  readonly from?: string;
  readonly fromJetstream: boolean;
}

export function restoreCommand(env: Env): Command {
  return new Command("restore")
    .description("replace a damaged log with a sound one and keep the damaged files (the daemon must not run)")
    .option(...DATA_FLAG)
    .option(...CONFIG_FLAG)
    .option("--from <file>", "restore this backup, and the key that `backup --with-identity` wrote beside it")
    .option("--identity-file <file>", "the daemon's key, if it is not in the data directory")
    .option(
      "--from-jetstream",
      "keep the rows that the hash chain proves; the daemon reads the rest from the stream again",
      false,
    )
    .addHelpText(
      "after",
      example(
        "oc-partnerd restore --data /var/lib/oc-partnerd --from /var/backups/oc-partnerd.db",
        "oc-partnerd restore --data /var/lib/oc-partnerd --from-jetstream",
      ),
    )
    .action(async ({ from, fromJetstream: fromJetStream, ...flags }: RestoreFlags) => {
      const { data, identityFile } = configOf(flags, env);
      const terminal = process.stderr;
      const restored = await runRestore({ data, identityFile, from, fromJetStream, clock: systemClock, terminal });
      print(nextStepFor(restored, process.argv.slice(2)));
    });
}

interface RestoreRequest {
  /** The data directory. */
  readonly data: string;
  readonly identityFile?: string | undefined;
  /** A backup file. */
  readonly from: string | undefined;
  readonly fromJetStream: boolean;
  readonly clock: Pick<Clock, "wallMs">;
  readonly terminal: ProgressStream;
}

/** Returns what was done and what is lost, as text. Throws usage, and the errors of restoreBackup and salvage. */
export async function runRestore(request: RestoreRequest): Promise<string> {
  const { data, from, fromJetStream, clock, terminal } = request;
  if ((from === undefined) !== fromJetStream)
    throw new PartnerdError("usage", "restore needs either --from FILE or --from-jetstream", {
      nextStep: "name a backup with --from, or keep the provable part of the log with --from-jetstream",
    });
  using _held = holdEventLoop();
  using shown = stepProgress(terminal);
  const [directory, nowMs] = [data, clock.wallMs()];
  if (from === undefined) {
    const { salvage } = await import("../../store/recovery/salvage.ts");
    const onProgress = (rows: number, total: number) => shown.update("verifying the log", rows, total);
    const salvaged = salvage({ directory, nowMs, onProgress });
    return salvagedText(salvaged, await identityLines(request, from));
  }
  const { restoreBackup } = await import("../../store/recovery/restore.ts");
  const restored = await restoreBackup({
    directory,
    from,
    nowMs,
    onCopied: (pages, total) => shown.update("copying pages", pages, total),
    onChecked: (rows, total) => shown.update("checking the copy", rows, total),
  });
  return restoredText(from, restored, await identityLines(request, from));
}

function restoredText(from: string, restored: RestoredBackup, identity: readonly string[]): string {
  const { events, lastSeq, head, lastSeqBefore } = restored;
  const gone =
    lastSeqBefore === null || lastSeqBefore <= lastSeq
      ? []
      : [`removed from the log: seq ${lastSeq + 1} to ${lastSeqBefore}, which are not in the backup`];
  return [
    `restored ${from}: ${counted(events, "event")}, and appended a LogRestored: ${headText(head)}`,
    ...gone,
    ...(gone.length > 0 ? ["of these, the daemon's own observations and messages from core NATS are lost for good"] : []),
    ...commonLines(restored, identity),
  ].join("\n");
}

function salvagedText(salvaged: Salvaged, identity: readonly string[]): string {
  const { events, head, lost } = salvaged;
  const kept =
    events === 0
      ? "nothing could be proven: the log starts again, empty, with a LogRestored"
      : `kept ${counted(events, "event")} that the hash chain proves, and appended a LogRestored`;
  return [`${kept}: ${headText(head)}`, ...(lost === null ? [] : lostLines(lost)), ...commonLines(salvaged, identity)].join("\n");
}

function lostLines({ firstSeq, lastSeq, fromStream, byCore, observed, unreadable }: LostRows): string[] {
  const unknown = unreadable === 0 ? "" : `, ${unreadable} unreadable`;
  return [
    `removed from the log: seq ${firstSeq} to ${lastSeq}: ${counted(fromStream, "message")} from the stream, ${byCore} from core NATS, ${observed} observed${unknown}`,
    "observations and core NATS messages are lost for good; stream messages will be read again if the stream still holds them",
  ];
}

function commonLines({ head: { seq }, setAside, cursor }: Restored, identity: readonly string[]): string[] {
  return [
    ...(setAside === null ? [] : [`damaged log kept as ${setAside}, with its other files`]),
    ...identity,
    `next: start the daemon; ${cursor === null ? "the log follows no stream yet, so the daemon reads the stream that it finds from the beginning" : readAgain(cursor)}`,
    `checks: from now on add --restored ${seq}, as in \`oc-partnerd check --nats --restored ${seq}\`; without it, published heads after seq ${seq - 1} are findings`,
  ];
}

function readAgain({ stream, sequence }: Cursor): string {
  return `it continues with stream ${stream} at sequence ${sequence + 1}`;
}
