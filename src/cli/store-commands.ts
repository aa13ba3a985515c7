/** The commands that look after a daemon's database: their flags and their help. */
import type { Command } from "commander";
import { configOf, type Env, example } from "./flags.ts";

export function addStoreCommands(root: Command, env: Env): void {
  addCheck(root, env);
}

interface CheckFlags {
  data?: string;
  config?: string;
  head?: string;
  json: boolean;
}

function addCheck(root: Command, env: Env): void {
  root
    .command("check")
    .description("look for anything in the database that was damaged, edited or cut off; exits 1 with what it finds")
    .option("--data <dir|file>", "the daemon's data directory, or a copy of its database; the daemon may run meanwhile")
    .option("--config <file>", "the daemon's configuration file")
    .option("--head <seq:hash>", "a head of the log that was published: the log must still have it")
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd check --data /var/lib/oc-partnerd",
        "oc-partnerd check --head 812:3f2a9c0d",
        "oc-partnerd check --data /var/backups/oc-partnerd.db --json | jq '.findings[]'",
      ),
    )
    .action(async ({ data, config, head, json }: CheckFlags) => {
      const { check } = await import("./check.ts");
      process.exitCode = check({ data: dataOf({ data, config }, env), head, json, print, terminal: process.stderr });
    });
}

function dataOf({ data, config }: { data?: string | undefined; config?: string | undefined }, env: Env): string {
  return configOf({ ...(data !== undefined && { data }), ...(config !== undefined && { config }) }, env).data;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
