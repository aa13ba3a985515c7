/** Formats and parses counts, durations, sizes and times, and makes untrusted text safe to print. */

type Units = readonly (readonly [unit: string, amount: number])[];

export const DAY_MS = 86_400_000;
const DURATIONS: Units = [
  ["d", DAY_MS],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
];
const SIZES: Units = [
  ["TiB", 1_024 ** 4],
  ["GiB", 1_024 ** 3],
  ["MiB", 1_024 ** 2],
  ["KiB", 1_024],
];

/** For example `1 event` or `12 events`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** A duration in its largest whole unit, rounded down: `850 ms`, `12 s`, `4 min`, `3 h`, `2 d`. */
export function durationText(ms: number): string {
  const [unit, amount] = DURATIONS.find(([, length]) => Math.abs(ms) >= length) ?? ["ms", 1];
  return amount === 1 ? `${Math.round(ms)} ms` : `${Math.floor(ms / amount)} ${unit}`;
}

/** A duration in seconds with a fixed number of decimals: `4.2 s`. */
export function secondsText(ms: number, decimals = 1): string {
  return `${(ms / 1_000).toFixed(decimals)} s`;
}

/** A size in its largest whole unit, to one decimal: `912 bytes`, `7.2 MiB`. */
export function bytesText(bytes: number): string {
  const [unit, amount] = SIZES.find(([, size]) => bytes >= size) ?? ["bytes", 1];
  return amount === 1 ? counted(bytes, "byte") : `${(bytes / amount).toFixed(1)} ${unit}`;
}

/** A duration without rounding, in the largest unit that divides it: `90 d`, `1500 ms`. */
export const exactDurationText = (ms: number): string => exactText(ms, DURATIONS, "ms");

/** A size without rounding, in the largest unit that divides it: `1 GiB`, `1500 bytes`. */
export const exactBytesText = (bytes: number): string => exactText(bytes, SIZES, bytes === 1 ? "byte" : "bytes");

function exactText(value: number, units: Units, smallest: string): string {
  const [unit, amount] = units.find(([, size]) => value % size === 0) ?? [smallest, 1];
  return `${value / amount} ${unit}`;
}

/** Parses `500ms`, `90s`, `10min` or `10m`, `8h` or `1.5 d` into ms; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|min|m|h|d)$/.exec(text) ?? [];
  if (amount === undefined) return undefined;
  return Number(amount) * (DURATIONS.find(([name]) => name === (unit === "m" ? "min" : unit))?.[1] ?? 1);
}

/** Parses `7B`, `1500`, `4GiB`, `1.5 MB` or `2K` into bytes, in multiples of 1,024; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const [, amount, prefix] = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:iB|B)?$/.exec(text) ?? [];
  if (amount === undefined) return undefined;
  return Math.round(Number(amount) * (SIZES.find(([name]) => name === `${prefix}iB`)?.[1] ?? 1));
}

/** A wall time in ms since the epoch as ISO 8601 in UTC, with milliseconds. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}

/**
 * Control characters (C0 and C1), invisible ones (zero-width, bidirectional marks, fillers, line and paragraph separators) and lone
 * surrogates. They can make a line read as another, or command the terminal.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** `text` with control and invisible characters escaped, because names and addresses come from peers and end up on terminals. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : unitText(code);
  });
}

/** `text` of our own lines that may repeat text of others: printable, line by line. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** `text` with every invisible character escaped: also bidirectional marks, which JSON.stringify leaves and a terminal obeys. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** `json` with the same meaning, and with its control and invisible characters escaped as JSON does it. White space may be in it. */
export function printableJson(json: string): string {
  return json.replace(INVISIBLE, (character) =>
    character < " "
      ? character
      : character
          .split("")
          .map((unit) => unitText(unit.charCodeAt(0)))
          .join(""),
  );
}

const unitText = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;

/** Marks that go onto the character before them. */
const COMBINING = /^[\p{Mn}\p{Me}]$/u;
/** Scripts whose characters terminals draw two columns wide. */
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Yi}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u;
const HALF_WIDTH = /^[\uff61-\uffdc]$/;

/** The columns that a terminal needs for printable text. */
export function terminalColumns(text: string): number {
  let columns = 0;
  for (const character of text)
    columns += COMBINING.test(character) ? 0 : WIDE.test(character) && !HALF_WIDTH.test(character) ? 2 : 1;
  return columns;
}

/** A copy of `text`, well-formed. In V8, a part of a text keeps all of it in memory, so what is kept for long must be a copy. */
export function detached(text: string): string {
  return Buffer.from(text).toString();
}
