/** How two traces differ, as `diff -u` would show it. Pure. */
import { diff } from "node:util";

const CONTEXT_LINES = 3;
/** What is compared line by line after the first difference: the time that this takes grows with the square. */
const MOST_COMPARED_LINES = 2_000;

/** What is missing with a minus, what is new with a plus, and the lines around; empty where nothing differs. */
export function differencesOf(golden: readonly string[], found: readonly string[]): readonly string[] {
  const shorter = Math.min(golden.length, found.length);
  let start = 0;
  while (start < shorter && golden[start] === found[start]) start += 1;
  if (start === golden.length && start === found.length) return [];
  let same = 0;
  while (same < shorter - start && golden.at(-1 - same) === found.at(-1 - same)) same += 1;
  const [missing, added] = [golden.slice(start, golden.length - same), found.slice(start, found.length - same)];
  const marked = marks(missing.slice(0, MOST_COMPARED_LINES), added.slice(0, MOST_COMPARED_LINES));
  const left = Math.max(0, missing.length - MOST_COMPARED_LINES, added.length - MOST_COMPARED_LINES);
  const before = golden.slice(Math.max(0, start - CONTEXT_LINES), start);
  const after = golden.slice(golden.length - same, golden.length - same + CONTEXT_LINES);
  return [
    `@@ line ${start + 1} @@`,
    ...before.map((line) => ` ${line}`),
    ...shortened(marked),
    ...(left === 0 ? after.map((line) => ` ${line}`) : [`… and ${left} lines more that were not compared`]),
  ];
}

/** node:util's diff says 1 for what only the first has. */
const MARKS: Readonly<Record<string, string>> = { "1": "-", "-1": "+", "0": " " };

function marks(missing: readonly string[], added: readonly string[]): readonly string[] {
  return diff(missing, added).map(([operation, line]) => `${MARKS[operation] ?? " "}${line}`);
}

/** Long runs of equal lines between two differences say nothing. */
function shortened(marked: readonly string[]): readonly string[] {
  const near = new Set<number>();
  for (const [index, line] of marked.entries()) {
    if (line.startsWith(" ")) continue;
    for (let around = index - CONTEXT_LINES; around <= index + CONTEXT_LINES; around++) near.add(around);
  }
  return marked.flatMap((line, index) => (near.has(index) ? [line] : near.has(index - 1) ? [" …"] : []));
}
