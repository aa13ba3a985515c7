/** What the demo prints below its picture. Pure. */
import type { Claim } from "./claims.ts";
import type { Participant } from "./participant.ts";
import { type Line, span } from "./style.ts";

export function auditReport(title: string, sql: string, trail: string): readonly Line[] {
  const [header = "", ...rows] = trail.split("\n");
  return [
    [],
    [span(` ${title}`, "bold")],
    [span(` ${sql};`, "cyan")],
    [span(` ${header}`, "dim")],
    ...rows.map((row): Line => [span(` ${row}`)]),
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

export function failureReport(message: string): readonly Line[] {
  return [[], ...message.split("\n").map((line): Line => [span(` ${line}`, "red")])];
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
