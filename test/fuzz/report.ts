/** Formats the output of the command. */
import type { CampaignResult, Finding } from "./runner/campaign.ts";

/** The table of targets, and the totals. */
export function tableText({ tallies, heaps, rssBytes }: CampaignResult, seed: number, elapsedMs: number): string {
  const rows = tallies.map(({ target, inputs, busyMs, slowestMs }) => [
    target,
    grouped(inputs),
    grouped(busyMs === 0 ? 0 : (inputs * 1_000) / busyMs),
    slowestMs.toFixed(1),
  ]);
  const table = [["target", "inputs", "inputs/s", "slowest ms"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
  );
  const total = tallies.reduce((sum, { inputs }) => sum + inputs, 0);
  const minutes = (elapsedMs / 60_000).toFixed(1);
  return `${lines.join("\n")}\n\nheaps in the first minute: ${heaps.join("; ")}\n${grouped(total)} inputs in ${minutes} min, seed ${seed}, ${Math.round(rssBytes / 1_048_576)} MiB`;
}

/** One failure, and how to run its input again. */
export function findingText({ target, kind, message, input, path }: Finding): string {
  const head = `FOUND: ${target}: ${kind}: ${message}`;
  if (path === undefined) return `${head}\n  again: npm run fuzz -- --target ${target} --minutes 5`;
  return `${head}\n  input: ${input.length} bytes\n  again: npm run fuzz -- --target ${target} --input ${path}`;
}

function grouped(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}
