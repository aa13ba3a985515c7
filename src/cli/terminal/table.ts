/** Aligns text in columns, without trailing blanks. */
import { printable, terminalColumns } from "../../base/units.ts";

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(printable))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => terminalColumns(line[column] ?? ""))));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - terminalColumns(cell)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The last characters of a PeerID. The first ones are the same for all keys of a type. */
export function shortPeerId(peerId: string): string {
  return peerId.length <= 12 ? peerId : `…${peerId.slice(-10)}`;
}
