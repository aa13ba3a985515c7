/** `oc-partnerd check`: whether a daemon's database is what it promises to be, and where it is not. */
import { PartnerdError } from "../../base/errors.ts";
import { printable } from "../../base/printable.ts";
import { type CheckedArchive, checkArchives } from "../../store/archive/archive-check.ts";
import { type CheckReport, checkDatabase } from "../../store/check/check.ts";
import type { KnownHead } from "../../store/check/head-check.ts";
import { sentenceOf } from "../../store/model/finding.ts";
import { isoTime } from "../../views/iso-time.ts";
import { counted } from "../terminal/counted.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";

export interface CheckCommandOptions {
  /** The data directory, or a database file. */
  readonly data: string;
  /** A published head, `SEQ:HASH`. */
  readonly head: string | undefined;
  /** A directory where archive files are now. */
  readonly archives: string | undefined;
  readonly json: boolean;
  readonly print: (text: string) => void;
  /** Where the progress is shown. */
  readonly terminal: ProgressStream;
}

/** Returns the exit code: 1 where anything was found. Throws usage, and what checkDatabase throws. */
export async function check({ data, head, archives, json, print, terminal }: CheckCommandOptions): Promise<0 | 1> {
  const heads = head === undefined ? [] : [knownHeadOf(head)];
  using shown = stepProgress(terminal);
  const showing = (label: string) => (rows: number, total: number) => shown.update(label, rows, total);
  const checked = checkDatabase({ path: data, heads, onProgress: showing("checking the log") });
  const files = await checkArchives({ path: data, archives, onProgress: showing("checking the archives") });
  shown.clear();
  const report = { ...checked, findings: [...checked.findings, ...files.flatMap(({ findings }) => findings)] };
  print(json ? JSON.stringify(jsonOf(report, files), null, 2) : [textOf(report), ...archiveLines(files)].join("\n"));
  return report.findings.length === 0 ? 0 : 1;
}

/** One line for each finding. */
function findingLines({ findings }: Pick<CheckReport, "findings">): string {
  return findings.map((finding) => `  ${printable(sentenceOf(finding))}`).join("\n");
}

const LEAST_HASH_CHARS = 8;

function knownHeadOf(text: string): KnownHead {
  const { seq, hash } = /^(?<seq>\d{1,15}):(?<hash>[0-9a-f]{1,64})$/i.exec(text)?.groups ?? {};
  if (seq !== undefined && hash !== undefined && hash.length >= LEAST_HASH_CHARS)
    return { from: "--head", seq: Number(seq), hashPrefix: hash.toLowerCase() };
  throw new PartnerdError("usage", `--head is "${text}", expected SEQ:HASH`, {
    nextStep: `write a head as it was published, such as 812:3f2a9c0d; at least ${LEAST_HASH_CHARS} characters of the hash`,
  });
}

function textOf(report: CheckReport): string {
  const { file, events, head, findings } = report;
  if (findings.length > 0) return `${file}: ${counted(findings.length, "finding")}\n${findingLines(report)}`;
  const newest = head.atMs === null ? "" : `, the newest of ${isoTime(head.atMs)}`;
  return `${file} is sound: ${counted(events, "event")}${newest}\nhead ${head.seq}:${head.chainHash}`;
}

function archiveLines(archives: readonly CheckedArchive[]): readonly string[] {
  return archives.map(({ anchor, path, findings }) => {
    const { firstSeq, lastSeq, file, directory } = anchor;
    const name = `archive of seq ${firstSeq} to ${lastSeq}`;
    if (path === undefined) return `${name}: ${printable(file)} is not in ${printable(directory)}, and was not looked at`;
    return `${name}: ${printable(path)} ${findings.length === 0 ? "is sound" : "is not sound"}`;
  });
}

function jsonOf({ file, events, head, findings }: CheckReport, archives: readonly CheckedArchive[]): object {
  return {
    file,
    sound: findings.length === 0,
    events,
    seq: head.seq,
    chainHash: head.chainHash,
    archives: archives.map(({ anchor: { firstSeq, lastSeq, file: name }, path, findings: found }) => ({
      firstSeq,
      lastSeq,
      file: name,
      path: path ?? null,
      sound: path === undefined ? null : found.length === 0,
    })),
    findings,
  };
}
