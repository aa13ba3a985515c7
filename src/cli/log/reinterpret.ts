/** `oc-partnerd reinterpret`: decodes the log again under the current vocabulary, and appends what that changes. */
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { counted } from "../../base/units.ts";
import type { Config } from "../../config/schema.ts";
import type { DesiredEvent, DesiredPeer } from "../../events/types.ts";
import type { Reinterpreted } from "../../store/fold/reinterpret.ts";
import { CONFIG_FLAG, configOf, DATA_FLAG, type DaemonFlags, type Env, example, JSON_FLAG } from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";
import { stepProgress } from "../terminal/progress.ts";
import { shortPeerId, table } from "../terminal/table.ts";

export function reinterpretCommand(env: Env): Command {
  return new Command("reinterpret")
    .description("decode the events in the log again after changing `events` settings, and append what changes (daemon stopped)")
    .option(...DATA_FLAG)
    .option(...CONFIG_FLAG)
    .option("--dry-run", "show what would change, with or without a running daemon", false)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd reinterpret --dry-run --config /etc/oc/partnerd.json",
        "oc-partnerd reinterpret --data /var/lib/oc-partnerd",
      ),
    )
    .action(async ({ dryRun, json, ...flags }: DaemonFlags & { readonly dryRun: boolean; readonly json: boolean }) =>
      print(await runReinterpret(configOf(flags, env), { dryRun, json })),
    );
}

interface Report {
  readonly changes: readonly Reinterpreted[];
  readonly decoded: number;
  readonly kept: number;
  /** Streams that the previous run left open, closed before anything was appended. */
  readonly closedStreams: number;
  /** Seqs of the appended events; null for a dry run. */
  readonly appended: readonly number[] | null;
}

/** Returns the report as text or JSON. Throws `data_dir_in_use` while the daemon runs, unless `dryRun`. */
async function runReinterpret(
  config: Config,
  { dryRun, json }: { readonly dryRun: boolean; readonly json: boolean },
): Promise<string> {
  const report = dryRun ? { ...(await plan(config)), closedStreams: 0, appended: null } : await append(config);
  return json ? jsonText(reportJson(report)) : reportText(report);
}

async function plan({ data, events }: Config): Promise<Omit<Report, "closedStreams" | "appended">> {
  const { openLogReader } = await import("../../store/log-reader.ts");
  using reader = openLogReader(data);
  using shown = stepProgress(process.stderr);
  return reader.reinterpret(events, (rows, total) => shown.update("decoding events", rows, total));
}

async function append(config: Config): Promise<Report> {
  const { databaseFileOf } = await import("../../store/sql/data-directory.ts");
  const { lockDirectory } = await import("../../store/sql/lock.ts");
  const { openStore } = await import("../../store/store.ts");
  const { verifyLog } = await import("../../store/check/at-start/verify-log.ts");
  const { lastAliveMsOf } = await import("../../daemon/watch/sign-of-life.ts");
  // Without this, a mistyped directory would be created.
  databaseFileOf(config.data);
  using _lock = lockDirectory(config.data);
  using store = openStore({ directory: config.data, clock });
  await verifyLog({ directory: config.data, signal: new AbortController().signal });
  // Streams that a crash left open ended before these events, so they must not name them as their cause.
  const closedStreams = store.closeOrphans(lastAliveMsOf(config.data));
  const planned = await plan(config);
  return { ...planned, closedStreams, appended: store.appendReinterpreted(planned.changes, config.events).map(({ seq }) => seq) };
}

function reportText({ changes, decoded, kept, closedStreams, appended }: Report): string {
  const partial =
    kept === 0 ? "" : `; ${counted(kept, "message")} not decoded again, because the log stores only the first 64 KiB`;
  const lines = [`decoded ${counted(decoded, "message")}${partial}`];
  if (closedStreams > 0) lines.push(`closed ${counted(closedStreams, "stream")} that the previous run of the daemon left open`);
  if (changes.length === 0) {
    const recorded = appended === null ? "" : "; recorded it in the log";
    return [...lines, `nothing changes under the current vocabulary${recorded}`].join("\n");
  }
  const rows = changes.map(({ event, before, causeSeq }) => [
    shortPeerId(event.peerId),
    before?.name ?? ("name" in event ? event.name : null) ?? "-",
    before === undefined ? "-" : `${before.relation} (${before.standing})`,
    becomes(event, before),
    String(causeSeq),
  ]);
  lines.push("", table(["PEER", "NAME", "WAS", "BECOMES", "EVENT"], rows), "");
  const count = counted(appended?.length ?? 0, "event");
  lines.push(
    appended === null
      ? "dry run: nothing was changed"
      : `appended ${count}; the daemon acts on ${appended.length === 1 ? "it" : "them"} at its next start`,
  );
  return lines.join("\n");
}

function becomes(event: DesiredEvent, before: Reinterpreted["before"]): string {
  if (event.type === "PeerRemoved") return "REMOVED (revoked)";
  const { relation, standing, address, resourceId } = event;
  const text = `${relation} (${standing})`;
  if (before === undefined || before.relation !== relation || before.standing !== standing) return text;
  return before.address === address ? `${text}, resource id ${resourceId ?? "-"}` : `${text}, address ${address ?? "-"}`;
}

function reportJson({ changes, decoded, kept, closedStreams, appended }: Report): object {
  return {
    decoded,
    kept,
    changes: changes.map(({ event, before, causeSeq }) => ({
      peerId: event.peerId,
      causeSeq,
      was: before === undefined ? null : stateJson(before),
      becomes:
        event.type === "PeerRemoved"
          ? stateJson({ relation: "REMOVED", standing: "revoked", address: null, resourceId: null })
          : stateJson(event),
    })),
    closedStreams,
    appended,
  };
}

type ReportedState = Pick<DesiredPeer, "relation" | "standing" | "address" | "resourceId">;

const stateJson = ({ relation, standing, address, resourceId }: ReportedState) => ({ relation, standing, address, resourceId });
