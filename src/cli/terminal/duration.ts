/** Durations as people write them in flags. */
import { PartnerdError } from "../../base/errors.ts";

const UNITS_MS = { ms: 1, s: 1_000, min: 60_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** What a timer can wait for. */
const LONGEST_MS = 24 * UNITS_MS.d;

const FORM = /^(\d+(?:\.\d+)?) ?(ms|s|min|m|h|d)$/;

/** Whether `text` is written as a duration is. */
export function isDuration(text: string): boolean {
  return FORM.test(text);
}

/** `90s`, `10min`, `8h` in ms. Throws usage, naming `flag`, for anything else, and for more than `longestMs`. */
export function durationMsOf(flag: string, text: string, longestMs = LONGEST_MS): number {
  const [, amount = "", unit = ""] = FORM.exec(text) ?? [];
  const durationMs = Number(amount) * (UNITS_MS[unit as keyof typeof UNITS_MS] ?? 0);
  if (durationMs > 0 && durationMs <= longestMs) return durationMs;
  throw new PartnerdError(
    "usage",
    `${flag} is "${text}", expected a duration of up to ${Math.floor(longestMs / UNITS_MS.d)} days`,
    {
      nextStep: "write a number with ms, s, min, h or d, such as 90s",
    },
  );
}
