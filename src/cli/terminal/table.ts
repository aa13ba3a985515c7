/** Text in columns, as wide as its widest cell, without trailing blanks. */
import { printable } from "../../base/printable.ts";

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map(printable))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `850 ms`, `12 s`, `4 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  const steps = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1_000, "s"],
  ] as const;
  const step = steps.find(([length]) => Math.abs(ms) >= length);
  return step === undefined ? `${Math.round(ms)} ms` : `${Math.floor(ms / step[0])} ${step[1]}`;
}

/** The end of a PeerID: its start is the same for all keys of a kind. */
export function shortPeerId(peerId: string): string {
  return peerId.length <= 12 ? peerId : `…${peerId.slice(-10)}`;
}
