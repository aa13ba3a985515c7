/** `oc-partnerd backup`: a copy of a daemon's database that is known to be sound, made while the daemon runs. */
import { type BackupReport, backUp } from "../../store/recovery/backup.ts";
import { bytesText } from "../terminal/bytes.ts";
import { counted } from "../terminal/counted.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";

export interface BackupCommandOptions {
  /** The data directory, or a database file. */
  readonly data: string;
  readonly to: string;
  readonly force: boolean;
  readonly json: boolean;
  /** Where the progress is shown. */
  readonly terminal: ProgressStream;
}

/** The answer as text, or as JSON. Throws what backUp throws. */
export async function backup({ data, to, force, json, terminal }: BackupCommandOptions): Promise<string> {
  using _held = holdEventLoop();
  using shown = stepProgress(terminal);
  const report = await backUp({
    from: data,
    to,
    force,
    onCopied: (pages, total) => shown.update("copying pages", pages, total),
    onChecked: (rows, total) => shown.update("checking the copy", rows, total),
  });
  return json ? JSON.stringify(jsonOf(report), null, 2) : textOf(report);
}

function textOf({ file, bytes, events, head }: BackupReport): string {
  return `${file}: ${counted(events, "event")}, ${bytesText(bytes)}, sound\nhead ${head.seq}:${head.chainHash}`;
}

function jsonOf({ file, bytes, events, head }: BackupReport): object {
  return { file, bytes, events, seq: head.seq, chainHash: head.chainHash };
}
