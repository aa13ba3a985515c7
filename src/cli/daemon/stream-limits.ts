/** The limits of a stream as people write them in flags. */
import { PartnerdError } from "../../base/errors.ts";
import type { LimitChanges } from "../../nats/setup/stream-config.ts";
import { durationMsOf } from "../terminal/duration.ts";

const UNLIMITED = "unlimited";
const UNITS = { "": 1, B: 1, K: 1_024, M: 1_024 ** 2, G: 1_024 ** 3, T: 1_024 ** 4 } as const;
const LONGEST_AGE_MS = 3_650 * 86_400_000;
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
    maxBytes: maxBytes === undefined ? undefined : bytesOf(maxBytes),
    maxAgeMs: maxAge === undefined ? undefined : ageMsOf(maxAge),
    replicas: replicas === undefined ? undefined : replicasOf(replicas),
  };
}

function bytesOf(text: string): number | null {
  if (text === UNLIMITED) return null;
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([KMGT]?)(?:iB|B)?$/.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * (UNITS[unit as keyof typeof UNITS] ?? 0));
  if (bytes > 0 && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw usage("--max-bytes", text, "a size", `a number with KiB, MiB, GiB or TiB, such as 4GiB, or ${UNLIMITED}`);
}

function ageMsOf(text: string): number | null {
  return text === UNLIMITED ? null : durationMsOf("--max-age", text, LONGEST_AGE_MS);
}

function replicasOf(text: string): number {
  if (/^\d$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_REPLICAS) return Number(text);
  throw usage("--replicas", text, `a number from 1 to ${MOST_REPLICAS}`, "an odd number, no more than the cluster has servers");
}

function usage(flag: string, text: string, expected: string, example: string): PartnerdError {
  return new PartnerdError("usage", `${flag} is "${text}", expected ${expected}`, { nextStep: `write ${example}` });
}
