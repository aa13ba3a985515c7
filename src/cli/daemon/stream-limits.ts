/** The limits of a stream as people write them in flags. */
import { PartnerdError } from "../../base/errors.ts";
import { DAY_MS, parseBytes } from "../../base/units.ts";
import type { LimitChanges } from "../../nats/setup/stream-config.ts";
import { durationFlag } from "../flags.ts";

const UNLIMITED = "unlimited";
const LONGEST_AGE_MS = 3_650 * DAY_MS;
/** JetStream's own. */
const MOST_REPLICAS = 5;

export interface LimitFlags {
  readonly maxBytes?: string;
  readonly maxAge?: string;
  readonly replicas?: string;
}

/** Throws usage, naming flag and value. */
export function streamLimitsOf({ maxBytes, maxAge, replicas }: LimitFlags): LimitChanges {
  return {
    maxBytes: maxBytes === undefined ? undefined : sizeOf(maxBytes),
    maxAgeMs: maxAge === undefined ? undefined : ageMsOf(maxAge),
    replicas: replicas === undefined ? undefined : replicasOf(replicas),
  };
}

function sizeOf(text: string): number | null {
  if (text === UNLIMITED) return null;
  const bytes = parseBytes(text) ?? 0;
  if (bytes > 0 && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw usage("--max-bytes", text, "a size", `a number with KiB, MiB, GiB or TiB, such as 4GiB, or ${UNLIMITED}`);
}

function ageMsOf(text: string): number | null {
  return text === UNLIMITED ? null : durationFlag("--max-age", text, LONGEST_AGE_MS);
}

function replicasOf(text: string): number {
  if (/^\d$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_REPLICAS) return Number(text);
  throw usage("--replicas", text, `a number from 1 to ${MOST_REPLICAS}`, "an odd number, no more than the cluster has servers");
}

function usage(flag: string, text: string, expected: string, example: string): PartnerdError {
  return new PartnerdError("usage", `${flag} is "${text}", expected ${expected}`, { nextStep: `write ${example}` });
}
