/** What the commands' flags have in common. */
import { InvalidArgumentError } from "commander";
import { type ConfigSources, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";

export type Env = ConfigSources["env"];

/** Flags that stand for settings of the daemon. */
export interface DaemonFlags {
  config?: string;
  data?: string;
  nats?: string;
  listen?: string[];
  http?: string;
  name?: string;
  did?: string;
  inbound?: string;
}

/** The configuration as the daemon would read it, with these flags. */
export function configOf(flags: DaemonFlags, env: Env): Config {
  const { config: file, nats, inbound, ...rest } = flags;
  const { data, listen, http, name, did } = rest;
  return loadConfig({ flags: { data, listen, http, name, did, "nats.url": nats, "p2p.inbound": inbound }, env, file });
}

export function collect(value: string, before: readonly string[] | undefined): string[] {
  if (value === "") throw new InvalidArgumentError("it must not be empty");
  return [...(before ?? []), value];
}

export function example(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
