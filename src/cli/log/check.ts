/** `oc-partnerd check`: looks for damage, edits and missing rows in a daemon's database, and says where they are. */
import { existsSync, statSync } from "node:fs";
import { Command } from "commander";
import { PartnerdError } from "../../base/errors.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { counted, printable } from "../../base/units.ts";
import type { CheckedArchive } from "../../store/archive/archive-check.ts";
import type { CheckReport } from "../../store/check/check.ts";
import type { KnownHead } from "../../store/check/head-check.ts";
import { claimSentenceOf, type Finding, rowPlace, sentenceOf, type UnprovenClaim } from "../../store/model/finding.ts";
import { copyable } from "../terminal/command-line.ts";
import { CONFIG_FLAG, configOf, type DaemonFlags, type Env, example, JSON_FLAG } from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";
import { type ProgressStream, stepProgress } from "../terminal/progress.ts";
import { headText, newestText } from "./log-place.ts";
import { type PublishedHeads, readPublishedHeads } from "./published-heads.ts";

interface CheckFlags extends Omit<DaemonFlags, "nats"> {
  readonly head?: string;
  readonly nats?: string | true;
  readonly restored?: readonly number[];
  readonly archives?: string;
  readonly requireHead: boolean;
  readonly requireArchives: boolean;
  readonly json: boolean;
}

export function checkCommand(env: Env): Command {
  return new Command("check")
    .description("find damaged, edited or missing rows in the database (safe while the daemon runs); exits 1 if it finds any")
    .option("--data <dir|file>", "data directory of the daemon, or a database file (default: ./oc-partnerd-data)")
    .option(...CONFIG_FLAG)
    .option("--head <seq:hash>", "check that the log still contains this published head")
    .option("--nats [url]", "compare the log with the heads that its daemon published (default server: the configured one)")
    .option(
      "--restored <seq>",
      "with --nats: you know of the older copy, or the clone, that this row of the log names (repeatable)",
      restoredSeqs,
    )
    .option("--archives <dir>", "look for archive files here first (default: where they were written)")
    .option("--require-head", "treat a missing head file as a finding (default: only report it)", false)
    .option("--require-archives", "treat a missing archive file as a finding (default: only report it)", false)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd check --data /var/lib/oc-partnerd",
        "oc-partnerd check --head 812:3f2a9c0d",
        "oc-partnerd check --nats --require-head --require-archives",
        "oc-partnerd check --nats --restored 812",
        "oc-partnerd check --require-head --require-archives --archives /var/backups",
        "oc-partnerd check --data /var/backups/oc-partnerd.db --json | jq '.findings[]'",
      ),
    )
    .action(async ({ head, nats, restored = [], archives, requireHead, requireArchives, json, ...flags }: CheckFlags) => {
      if (nats === undefined && restored.length > 0)
        throw new PartnerdError("usage", "--restored without --nats has no effect", { nextStep: "add --nats" });
      const config = configOf({ ...flags, nats: nats === true ? undefined : nats }, env);
      const { data } = config;
      const published = nats === undefined ? undefined : { ...(await readPublishedHeads(data, config)), confirmed: restored };
      const required = { requireHead, requireArchives };
      process.exitCode = await runCheck({ data, head, published, archives, ...required, json, print, terminal: process.stderr });
    });
}

interface CheckRequest {
  /** The data directory, or a database file. */
  readonly data: string;
  /** A published head, `SEQ:HASH`. */
  readonly head: string | undefined;
  /** Heads that the daemon published to NATS. */
  readonly published: PublishedHeads | undefined;
  /** A directory to search for archive files, besides the one that they were written to. */
  readonly archives: string | undefined;
  /** Makes a missing head file, or archive file, a finding. */
  readonly requireHead: boolean;
  readonly requireArchives: boolean;
  readonly json: boolean;
  readonly print: (text: string) => void;
  readonly terminal: ProgressStream;
}

/** Returns the exit code: 1 if there are findings. Throws usage, and the errors of checkDatabase. */
export async function runCheck(request: CheckRequest): Promise<0 | 1> {
  const { data, head, published, archives, json, print, terminal, ...required } = request;
  const { checkDatabase } = await import("../../store/check/check.ts");
  const { checkArchives } = await import("../../store/archive/archive-check.ts");
  const { confirmedRows } = await import("../../store/check/confirmed-rows.ts");
  const heads = head === undefined ? [] : [knownHeadOf(head)];
  refuseNoDirectory(archives);
  using shown = stepProgress(terminal);
  const showing = (label: string) => (rows: number, total: number) => shown.update(label, rows, total);
  const checked = checkDatabase({
    path: data,
    heads,
    ...(published && { series: published }),
    requireHead: required.requireHead,
    onProgress: showing("checking the log"),
  });
  const files = await checkArchives({
    path: data,
    archives,
    heads: [...heads, ...(published?.heads ?? []).filter(({ explainedBy }) => explainedBy === undefined)],
    onProgress: showing("checking the archives"),
  });
  shown.clear();
  const missing = files.filter(({ path }) => path === undefined);
  const found = [...files.flatMap(({ findings }) => findings), ...(required.requireArchives ? missing.map(missingFinding) : [])];
  const confirmed = confirmedRows(data, published?.confirmed ?? []);
  const witnesses = [...checked.witnesses, ...missing.map(missingWitness), ...confirmed.claims];
  const findings = [...checked.findings, ...(published?.findings ?? []), ...confirmed.findings, ...found];
  const report = { ...checked, findings, witnesses };
  print(
    json
      ? jsonText({ ...checkJson(report, files), publishedHeads: published && publishedJson(published) })
      : copyable(
          [checkText(report), ...publishedLines(published), ...archiveLines(files), ...witnessLines(witnesses)].join("\n"),
        ),
  );
  return report.findings.length === 0 ? 0 : 1;
}

/** Where a missing file was looked for. */
const nowhere = ({ places }: CheckedArchive): string =>
  places.length === 1 ? `not in ${places[0]}` : `in none of ${places.join(", ")}`;

const missingFinding = (archive: CheckedArchive): Finding => ({
  place: archive.anchor.file,
  problem: `missing: it is ${nowhere(archive)}`,
});

const missingWitness = (archive: CheckedArchive): UnprovenClaim => ({
  place: rowPlace(archive.anchor.firstSeq, archive.anchor.lastSeq),
  claim: `only in ${archive.anchor.file}, which is ${nowhere(archive)}`,
  witness: "give its directory with --archives DIR; --require-archives makes this a finding",
});

function witnessLines(witnesses: readonly UnprovenClaim[]): readonly string[] {
  if (witnesses.length === 0) return [];
  return ["needs a witness:", ...witnesses.map((witness) => `  ${printable(claimSentenceOf(witness))}`)];
}

function restoredSeqs(text: string, before: readonly number[] | undefined): readonly number[] {
  if (/^[1-9]\d{0,14}$/.test(text)) return [...(before ?? []), Number(text)];
  throw new PartnerdError("usage", `--restored is "${text}", expected the seq of a LogRestored, LogRolledBack or CloneSeen`, {
    nextStep: "take it from the finding that names it, for example --restored 812",
  });
}

/** A mistyped directory would be searched in vain, in silence. */
function refuseNoDirectory(archives: string | undefined): void {
  if (archives === undefined || (existsSync(archives) && statSync(archives).isDirectory())) return;
  throw new PartnerdError("usage", `--archives is ${shownValue(archives)}, expected a directory`, {
    nextStep: "name an existing directory with archive files, or leave out --archives",
  });
}

const LEAST_HASH_CHARS = 8;

function knownHeadOf(text: string): KnownHead {
  const { seq, hash } = /^(?<seq>\d{1,15}):(?<hash>[0-9a-f]{1,64})$/i.exec(text)?.groups ?? {};
  if (seq !== undefined && hash !== undefined && hash.length >= LEAST_HASH_CHARS)
    return { from: "--head", seq: Number(seq), hashPrefix: hash.toLowerCase() };
  throw new PartnerdError("usage", `--head is "${text}", expected SEQ:HASH`, {
    nextStep: `give a published head with at least ${LEAST_HASH_CHARS} characters of its hash, for example 812:3f2a9c0d`,
  });
}

function checkText({ file, events, head, findings }: CheckReport): string {
  if (findings.length === 0) return `${file} is sound: ${counted(events, "event")}${newestText(head)}\n${headText(head)}`;
  const lines = findings.map((finding) => `\n  ${printable(sentenceOf(finding))}`);
  return `${file}: ${counted(findings.length, "finding")}${lines.join("")}`;
}

function publishedLines(published: PublishedHeads | undefined): readonly string[] {
  if (published === undefined || published.server === null) return [];
  const { heads, from, server } = published;
  return [`compared with ${counted(heads.length, "published head")} in stream ${from} at ${server}`];
}

function publishedJson({ from, server, heads }: PublishedHeads): object {
  return { stream: from, server, heads: heads.length, newestSeq: Math.max(0, ...heads.map(({ seq }) => seq)) };
}

function archiveLines(archives: readonly CheckedArchive[]): readonly string[] {
  return archives.map((archive) => {
    const { anchor, path, findings } = archive;
    const { firstSeq, lastSeq, file } = anchor;
    const name = `archive of seq ${firstSeq} to ${lastSeq}`;
    if (path === undefined) return `${name}: not checked, because ${printable(`${file} is ${nowhere(archive)}`)}`;
    return `${name}: ${printable(path)} ${findings.length === 0 ? "is sound" : "is not sound"}`;
  });
}

function checkJson({ file, events, head, findings, witnesses }: CheckReport, archives: readonly CheckedArchive[]): object {
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
    needsWitness: witnesses,
  };
}
