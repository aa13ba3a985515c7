/** Reads a place in the log from a flag, as a seq or a time, and formats the head of the log. */
import { PartnerdError } from "../../base/errors.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { DAY_MS, isoTime, parseDuration } from "../../base/units.ts";
import type { LogPlace } from "../../store/archive/archive-plan.ts";
import type { LogHead } from "../../store/model/log-head.ts";
import { durationFlag } from "../terminal/flags.ts";

/** Parses a seq such as 120, or a time such as 2026-01-01T12:00:00Z. Throws usage, naming `flag`, for anything else. */
export function logPlaceOf(flag: string, text: string, nextStep = NEXT_STEP): LogPlace {
  if (/^[1-9]\d{0,14}$/.test(text)) return { seq: Number(text) };
  const isTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i.test(text);
  // A time without a zone is UTC, like the times in the views.
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/i.test(text.slice("yyyy-mm-dd".length));
  const atMs = isTime ? Date.parse(hasZone || text.length === "yyyy-mm-dd".length ? text : `${text}Z`) : Number.NaN;
  if (!Number.isNaN(atMs)) return { atMs };
  throw new PartnerdError("usage", `${flag} is ${shownValue(text)}, expected a seq of the log or a time`, {
    nextStep,
  });
}

/** As logPlaceOf; also takes an age such as 2h. */
export function agedPlaceOf(flag: string, text: string, nowMs: number): LogPlace {
  if (parseDuration(text) !== undefined) return { atMs: nowMs - durationFlag(flag, text, LONGEST_AGE_MS) };
  return logPlaceOf(flag, text, "give an age such as 90d, a UTC time such as 2026-01-01T12:00:00Z, or a seq such as 120");
}

const LONGEST_AGE_MS = 36_500 * DAY_MS;

const NEXT_STEP = "give a seq such as 120, or a UTC time such as 2026-01-01T12:00:00Z";

/** The head in the form that `check --head` accepts. */
export const headText = ({ seq, chainHash }: LogHead): string => `head ${seq}:${chainHash}`;

export const newestText = ({ atMs }: LogHead): string => (atMs === null ? "" : `, newest at ${isoTime(atMs)}`);
