/** What the demo prints below its picture. Pure. */
import type { PartnerdError } from "../errors.ts";
import type { AuditRow } from "./audit.ts";
import type { Claim } from "./claims.ts";
import type { Participant } from "./participant.ts";
import { type Line, span, wrap } from "./style.ts";

const MARGIN = " ";
const SEQ_COLUMNS = 5;
const AT_COLUMNS = 26;

/** The statement, and its rows as a table of at most `columns` characters. */
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

/** How to go on with the nodes that `--keep` leaves running. */
export function keepReport(
  participants: readonly Pick<Participant, "name" | "url" | "http" | "natsUrl" | "directory" | "identity">[],
): readonly Line[] {
  const [first, second] = participants;
  if (first === undefined || second === undefined) return [];
  const http = `${first.http.host}:${first.http.port}`;
  const commands = [
    `bin/oc-partnerd status --http ${http}`,
    `bin/oc-partnerd peers ${second.identity.peerId} --http ${http}`,
    `bin/oc-partnerd publish ${second.identity.address} --name ${second.name} --nats ${first.natsUrl}`,
    `sqlite3 -readonly -box ${first.directory}/oc-partnerd.db "select * from peer_history"`,
  ];
  return [
    [],
    [span(" The nodes go on until Ctrl-C:", "bold")],
    ...participants.map(
      ({ name, url, natsUrl, directory }): Line => [span(` ${name.padEnd(7)} ${url}  ${natsUrl}  ${directory}`)],
    ),
    [span(" Try:", "bold")],
    ...commands.map((command): Line => [span(` ${command}`, "cyan")]),
  ];
}
