/** What the commands' flags have in common. */
import { InvalidArgumentError } from "commander";
import { PartnerdError } from "../../base/errors.ts";
import { DAY_MS, parseDuration } from "../../base/units.ts";
import { type ConfigSources, loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { NatsConfig } from "../../nats/connection/config.ts";

export type Env = ConfigSources["env"];

/** Flags that stand for settings of the daemon. */
export interface DaemonFlags {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly nats?: string | undefined;
  readonly listen?: string[] | undefined;
  readonly http?: string | undefined;
  readonly name?: string | undefined;
  readonly did?: string | undefined;
  readonly inbound?: string | undefined;
}

export const CONFIG_FLAG = ["--config <file>", "the daemon's configuration file"] as const;
export const HTTP_FLAG = ["--http <host:port>", "where the daemon serves its API"] as const;
export const JSON_FLAG = ["--json", "print JSON", false] as const;
export const NATS_FLAG = ["--nats <url>", "NATS server; without one: 127.0.0.1:4222"] as const;
export const OUT_FLAG = ["--out <file>", "a new file for it, instead of standard output"] as const;

/** The configuration as the daemon would read it, with these flags. */
export function configOf({ config: file, nats, inbound, data, listen, http, name, did }: DaemonFlags, env: Env): Config {
  return loadConfig({ flags: { data, listen, http, name, did, "nats.url": nats, "p2p.inbound": inbound }, env, file });
}

/** The NATS server of the configuration, else the one on this machine. */
export async function natsOf(config: Config): Promise<NatsConfig> {
  const { natsConfig } = await import("../../daemon/nats-source.ts");
  return natsConfig(config);
}

/** What a timer can wait for. */
const LONGEST_WAIT_MS = 24 * DAY_MS;

/** `90s`, `10min`, `8h` in ms. Throws usage, naming `flag`, for anything else, and for more than `longestMs`. */
export function durationFlag(flag: string, text: string, longestMs = LONGEST_WAIT_MS): number {
  const durationMs = parseDuration(text) ?? 0;
  if (durationMs > 0 && durationMs <= longestMs) return durationMs;
  throw new PartnerdError("usage", `${flag} is "${text}", expected a duration of up to ${Math.floor(longestMs / DAY_MS)} days`, {
    nextStep: "write a number with ms, s, min, h or d, such as 90s",
  });
}

export function collect(value: string, before: readonly string[] | undefined): string[] {
  if (value === "") throw new InvalidArgumentError("it must not be empty");
  return [...(before ?? []), value];
}

export function example(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
