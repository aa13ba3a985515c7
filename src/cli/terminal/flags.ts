/** Flags that several commands share, and how their values are read. */
import { PartnerdError } from "../../base/errors.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { DAY_MS, parseDuration } from "../../base/units.ts";
import { type ConfigSources, loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { NatsConfig } from "../../nats/connection/config.ts";
import { asStarted } from "./command-line.ts";

export type Env = ConfigSources["env"];

/** Flags that set the daemon's settings. */
export interface DaemonFlags {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly identityFile?: string | undefined;
  readonly nats?: string | undefined;
  readonly listen?: string[] | undefined;
  readonly http?: string | undefined;
  readonly name?: string | undefined;
  readonly did?: string | undefined;
  readonly inbound?: string | undefined;
  readonly logLevel?: string | undefined;
}

export const CONFIG_FLAG = [
  "--config <file>",
  "configuration file (default: ./partnerd.json and /etc/oc/partnerd.json)",
] as const;
export const DATA_FLAG = ["--data <dir>", "data directory of the daemon (default: ./oc-partnerd-data)"] as const;
export const HTTP_FLAG = ["--http <host:port>", "HTTP address of the daemon, or unix:/PATH (default: 127.0.0.1:4012)"] as const;
export const JSON_FLAG = ["--json", "print JSON", false] as const;
export const NATS_FLAG = ["--nats <url>", "NATS server (default: nats://127.0.0.1:4222)"] as const;
export const OUT_FLAG = ["--out <file>", "write to this new file (default: standard output)"] as const;

/** The configuration that the daemon would use, given these flags. With `serves`, it must be one that the daemon can start with. */
export function configOf(
  { config: file, nats, inbound, logLevel, ...flags }: DaemonFlags,
  env: Env,
  { serves = false }: Pick<ConfigSources, "serves"> = {},
): Config {
  const { data, identityFile, listen, http, name, did } = flags;
  const settings = {
    data,
    identityFile,
    listen,
    http,
    name,
    did,
    "nats.url": nats,
    "p2p.inbound": inbound,
    "log.level": logLevel,
  };
  return loadConfig({ flags: settings, env, file, serves });
}

/** The configured NATS server, or else the one on this machine. */
export async function natsOf(config: Config): Promise<NatsConfig> {
  const { natsConfig } = await import("../../daemon/nats-source.ts");
  return natsConfig(config);
}

/** The units of a duration, as parseDuration reads them. */
export const DURATION_UNITS = "units: ms, s, m or min, h, d";

/** The longest delay of a Node timer, in whole days. */
const LONGEST_WAIT_MS = 24 * DAY_MS;

/** Parses a duration such as `90s`, `10min` or `8h` into ms. Throws `usage`, naming `flag`, if it is invalid or over `longestMs`. */
export function durationFlag(flag: string, text: string, longestMs = LONGEST_WAIT_MS): number {
  const durationMs = parseDuration(text) ?? 0;
  if (durationMs > 0 && durationMs <= longestMs) return durationMs;
  throw new PartnerdError(
    "usage",
    `${flag} is ${shownValue(text)}, expected a duration of up to ${Math.floor(longestMs / DAY_MS)} days`,
    {
      nextStep: `give a number with a unit, for example 90s (${DURATION_UNITS})`,
    },
  );
}

/** Collects the values of a repeatable option. */
export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** A whole number from 1. Throws usage, naming `flag`, for anything else. */
export function countFlag(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new PartnerdError("usage", `${flag} is ${shownValue(text)}, expected a whole number from 1, for example 500`);
}

export function example(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${asStarted(line)}`).join("\n")}`;
}
