/** `oc-partnerd restore`: a sound log in the place of a damaged one, and what that costs, said plainly. */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { Cursor } from "../../store/model/cursor.ts";
import type { LostRows } from "../../store/recovery/lost-rows.ts";
import { type Restored, type RestoredBackup, restoreBackup } from "../../store/recovery/restore.ts";
import { type Salvaged, salvage } from "../../store/recovery/salvage.ts";
import { counted } from "../terminal/counted.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";

export interface RestoreCommandOptions {
  /** The data directory. */
  readonly data: string;
  /** A backup. */
  readonly from: string | undefined;
  readonly fromJetStream: boolean;
  readonly clock: Pick<Clock, "wallMs">;
  /** Where the progress is shown. */
  readonly terminal: ProgressStream;
}

/** What was done, and what is gone, as text. Throws usage, and what restoreBackup and salvage throw. */
export async function restore({ data, from, fromJetStream, clock, terminal }: RestoreCommandOptions): Promise<string> {
  if ((from === undefined) !== fromJetStream)
    throw new PartnerdError("usage", "restore takes either --from FILE or --from-jetstream", {
      nextStep: "name a backup with --from, or keep what can be proved of the log with --from-jetstream",
    });
  using _held = holdEventLoop();
  using shown = stepProgress(terminal);
  const [directory, nowMs] = [data, clock.wallMs()];
  if (from === undefined) {
    const onProgress = (rows: number, total: number) => shown.update("proving the log", rows, total);
    return salvagedText(salvage({ directory, nowMs, onProgress }));
  }
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
    `restored ${from}: ${counted(events, "event")}, head ${head.seq}:${head.chainHash}`,
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
  return [
    `${kept}, head ${head.seq}:${head.chainHash}`,
    ...(lost === null ? [] : lostLines(lost)),
    ...commonLines(salvaged),
  ].join("\n");
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
