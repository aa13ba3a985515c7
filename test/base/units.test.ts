import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bytesText,
  counted,
  durationText,
  exactBytesText,
  exactDurationText,
  parseBytes,
  parseDuration,
  printable,
  printableJson,
  printableLines,
  secondsText,
  terminalColumns,
} from "../../src/base/units.ts";

test("counts use the singular only for 1", () => {
  expect([0, 1, 2].map((count) => counted(count, "earlier event"))).toEqual([
    "0 earlier events",
    "1 earlier event",
    "2 earlier events",
  ]);
});

test.each([
  [0, "0 ms"],
  [999.4, "999 ms"],
  [1_000, "1 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_599_999, "59 min"],
  [86_399_999, "23 h"],
  [86_400_000, "1 d"],
  [-1_500, "-2 s"],
])("%d ms is %s", (ms, text) => expect(durationText(ms)).toBe(text));

test("seconds keep their decimals", () => {
  expect([secondsText(4_250), secondsText(4_250, 3), secondsText(60_000, 0)]).toEqual(["4.3 s", "4.250 s", "60 s"]);
});

test.each([
  [1, "1 byte"],
  [1_023, "1023 bytes"],
  [1_024, "1.0 KiB"],
  [7_549_747, "7.2 MiB"],
  [1_024 ** 5, "1024.0 TiB"],
])("%d bytes are %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));

test("exact sizes and durations are never rounded", () => {
  expect([1_024 ** 3, 1_024 ** 2 + 1, 1_536 * 1_024, 1_500].map(exactBytesText)).toEqual([
    "1 GiB",
    "1048577 bytes",
    "1536 KiB",
    "1500 bytes",
  ]);
  expect([90 * 86_400_000, 5_400_000, 90_000, 1_500].map(exactDurationText)).toEqual(["90 d", "90 min", "90 s", "1500 ms"]);
});

test.each([
  ["500ms", 500],
  ["90s", 90_000],
  ["1.5 min", 90_000],
  ["10m", 600_000],
  ["8h", 28_800_000],
  ["90d", 7_776_000_000],
  ["0s", 0],
])("%s is a duration", (text, ms) => expect(parseDuration(text)).toBe(ms));

test.each(["", "90", "s", "-1s", "1 week", "1s ", "1e3s", "forever", "1S"])("%j is not a duration", (text) =>
  expect(parseDuration(text)).toBeUndefined(),
);

test.each([
  ["1000", 1_000],
  ["7B", 7],
  ["2K", 2_048],
  ["2KB", 2_048],
  ["1.5 MiB", 1_572_864],
  ["4GiB", 4_294_967_296],
  ["1T", 1_099_511_627_776],
])("%s is a size", (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each(["", "GiB", "-1", "4 apples", "4gib", "1PiB"])("%j is not a size", (text) => expect(parseBytes(text)).toBeUndefined());

test.each([
  ["a\u001b[2Jb", "a\\u001b[2Jb"],
  ["\u202egpj.exe", "\\u202egpj.exe"],
  ["zero\u200bwidth\u2028line", "zero\\u200bwidth\\u2028line"],
  ["tag\u{e0041}", "tag\\u{e0041}"],
  ["c1\u0085\u009b2J\u007f", "c1\\u0085\\u009b2J\\u007f"],
  ["\u2066a\u2069\u200e\u200f\u061c", "\\u2066a\\u2069\\u200e\\u200f\\u061c"],
  ["a\u200c\u200d\u2060\ufeff\u00adb", "a\\u200c\\u200d\\u2060\\ufeff\\u00adb"],
  ["filler\u3164\u115f\u034f\ufe0f", "filler\\u3164\\u115f\\u034f\\ufe0f"],
  ["half\ud800 \udc00", "half\\ud800 \\udc00"],
  ["Zoë 🙂 東京", "Zoë 🙂 東京"],
])("%j is printed as %j", (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test("printable lines keep their line ends, and nothing else that is not visible", () => {
  expect(printableLines("a\u009b\nb\tc\r\n")).toBe("a\\u009b\nb\\u0009c\\u000d\n");
});

const HOSTILE = "\u0000\n\u001b\u007f\u0085\u009b\u00ad\u061c\u200b\u200f\u202e\u2028\u2066\ufeff\u{e0041}\ud800x🙂";
const invisible = fc.constantFrom(...Array.from(HOSTILE));

test("printable JSON means the same, and has no invisible character but its own line ends", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: invisible }), fc.string({ unit: invisible })), (value) => {
      const json = printableJson(JSON.stringify(value, null, 2));
      expect(JSON.parse(json)).toEqual(value);
      expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test.each([
  ["Zoë", 3],
  ["Zoe\u0308", 3],
  ["東京", 4],
  ["ｱｲ", 2],
  ["한국", 4],
  ["ok 🙂", 5],
  ["…", 1],
])("%s takes %i columns", (text, columns) => expect(terminalColumns(text)).toBe(columns));
