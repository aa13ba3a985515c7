/** The reports that the demo prints below its picture. Pure. */
import type { PartnerdError } from "../../base/errors.ts";
import type { Claim } from "../evidence/claims.ts";
import type { AuditRow } from "../evidence/database.ts";
import type { Participant } from "../stage/participant.ts";
import { type Line, span, wrap } from "./style.ts";

const MARGIN = " ";
const SEQ_COLUMNS = 5;
const AT_COLUMNS = 26;

/** An SQL statement, and its rows as a table of at most `columns` characters. */
export function auditReport(title: string, sql: string, rows: readonly AuditRow[], columns: number): readonly Line[] {
  const indent = `${MARGIN}${" ".repeat(SEQ_COLUMNS + AT_COLUMNS)}`;
  return [
    [],
    [span(`${MARGIN}${title}`, "bold")],
    [span(`${MARGIN}${sql};`, "cyan")],
    [span(`${MARGIN}${"SEQ".padEnd(SEQ_COLUMNS)}${"AT".padEnd(AT_COLUMNS)}SUMMARY`, "dim")],
    ...rows.flatMap(({ seq, at, summary }) => {
      const [first = "", ...others] = wrap(summary, columns - indent.length);
      const head: Line = [span(`${MARGIN}${seq.padEnd(SEQ_COLUMNS)}`), span(at.padEnd(AT_COLUMNS), "dim"), span(first)];
      return [head, ...others.map((text): Line => [span(`${indent}${text}`)])];
    }),
  ];
}

export function summaryReport(claims: readonly Claim[]): readonly Line[] {
  const width = Math.max(...claims.map(({ text }) => text.length));
  const failed = claims.filter(({ holds }) => !holds).length;
  return [
    [],
    [span(" Summary, computed from the databases of the three nodes", "bold")],
    ...claims.map(
      ({ text, holds, figures }): Line => [
        holds ? span(" ✓ ", "green") : span(" ✗ ", "red"),
        span(text.padEnd(width + 2), holds ? "plain" : "red"),
        span(figures, "dim"),
      ],
    ),
    [span(` ${claims.length - failed} of ${claims.length} claims hold`, failed === 0 ? "green" : "red")],
  ];
}

export function failureReport({ message, nextStep }: PartnerdError): readonly Line[] {
  const text = nextStep === null ? message : `${message}\nnext step: ${nextStep}`;
  return [[], ...text.split("\n").map((line): Line => [span(` ${line}`, "red")])];
}

/** The facts that are shown about a participant that keeps running. */
type Kept = Pick<Participant, "name" | "url" | "http" | "natsUrl" | "directory" | "identity" | "pid">;

/** Commands to try with the nodes that `--keep` leaves running. */
export function keepReport(participants: readonly Kept[]): readonly Line[] {
  const [first, second] = participants;
  if (first === undefined || second === undefined) return [];
  const http = `${first.http.host}:${first.http.port}`;
  const commands = [
    `bin/oc-partnerd status --http ${http}`,
    `bin/oc-partnerd peers ${second.identity.peerId} --http ${http}`,
    `bin/oc-partnerd publish ${second.identity.address} --name ${second.name} --nats ${first.natsUrl}`,
    `sqlite3 -readonly -box ${first.directory}/oc-partnerd.db "select * from peer_history"`,
    `kill -9 ${second.pid}`,
    `bin/oc-partnerd export --data ${first.directory} | bin/oc-partnerd redact | bin/oc-partnerd replay --expect`,
  ];
  return [
    [],
    [span(" The nodes keep running until Ctrl-C:", "bold")],
    [span(`${MARGIN}${row({ name: "NODE", pid: "PID", url: "API", natsUrl: "NATS", directory: "DATA" })}`, "dim")],
    ...participants.map((participant): Line => [span(`${MARGIN}${row(participant)}`)]),
    [span(" Try:", "bold")],
    ...commands.map((command): Line => [span(` ${command}`, "cyan")]),
  ];
}

/** A row of the table above. The columns fit five-digit ports. */
function row({
  name,
  pid,
  url,
  natsUrl,
  directory,
}: { [Column in "name" | "url" | "natsUrl" | "directory"]: string } & { pid: number | string | undefined }): string {
  return [name.padEnd(6), String(pid ?? "").padEnd(7), url.padEnd(22), natsUrl.padEnd(22), directory].join("  ");
}

/** Says that a node that `--keep` left running has exited, and how to restart it. */
export function endedReport({ name, configFile }: Pick<Participant, "name" | "configFile">, how: string): readonly Line[] {
  return [
    [],
    [span(` The daemon of ${name} has exited: ${how}. Restart it with:`, "bold")],
    [span(` bin/oc-partnerd run --config ${configFile}`, "cyan")],
  ];
}
