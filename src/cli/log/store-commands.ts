/** The commands that look after a daemon's database: their flags and their help. */
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { configOf, type Env, example } from "../flags.ts";

export function addStoreCommands(root: Command, env: Env): void {
  addCheck(root, env);
  addBackup(root, env);
  addRestore(root, env);
}

interface CheckFlags {
  data?: string;
  config?: string;
  head?: string;
  archives?: string;
  json: boolean;
}

function addCheck(root: Command, env: Env): void {
  root
    .command("check")
    .description("look for anything in the database that was damaged, edited or cut off; exits 1 with what it finds")
    .option("--data <dir|file>", "the daemon's data directory, or a copy of its database; the daemon may run meanwhile")
    .option("--config <file>", "the daemon's configuration file")
    .option("--head <seq:hash>", "a head of the log that was published: the log must still have it")
    .option("--archives <dir>", "where the archive files are now; they are looked for where they were written too")
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd check --data /var/lib/oc-partnerd",
        "oc-partnerd check --head 812:3f2a9c0d",
        "oc-partnerd check --data /var/backups/oc-partnerd.db --json | jq '.findings[]'",
      ),
    )
    .action(async ({ data, config, head, archives, json }: CheckFlags) => {
      const { check } = await import("./check.ts");
      const options = { data: dataOf({ data, config }, env), head, archives, json };
      process.exitCode = await check({ ...options, print, terminal: process.stderr });
    });
}

interface BackupFlags {
  data?: string;
  config?: string;
  to: string;
  force: boolean;
  json: boolean;
}

function addBackup(root: Command, env: Env): void {
  root
    .command("backup")
    .description("copy the database to a file, consistent and checked; the daemon may run meanwhile")
    .requiredOption("--to <file>", "the file for it")
    .option("--data <dir|file>", "the daemon's data directory")
    .option("--config <file>", "the daemon's configuration file")
    .option("--force", "replace the file if it is there", false)
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd backup --data /var/lib/oc-partnerd --to /var/backups/oc-partnerd.db --force",
        "oc-partnerd backup --to oc-partnerd-$(date +%F).db --json | jq -r .chainHash",
      ),
    )
    .action(async ({ data, config, to, force, json }: BackupFlags) => {
      const { backup } = await import("./backup.ts");
      print(await backup({ data: dataOf({ data, config }, env), to, force, json, terminal: process.stderr }));
    });
}

interface RestoreFlags {
  data?: string;
  config?: string;
  from?: string;
  fromJetstream: boolean;
}

function addRestore(root: Command, env: Env): void {
  root
    .command("restore")
    .description("put a sound log in the place of a damaged one, which is set aside; the daemon must not run")
    .option("--data <dir>", "the daemon's data directory")
    .option("--config <file>", "the daemon's configuration file")
    .option("--from <file>", "a backup")
    .option("--from-jetstream", "keep what the chain proves, and let the daemon read the rest from the stream again", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd restore --data /var/lib/oc-partnerd --from /var/backups/oc-partnerd.db",
        "oc-partnerd restore --data /var/lib/oc-partnerd --from-jetstream",
      ),
    )
    .action(async ({ data, config, from, fromJetstream: fromJetStream }: RestoreFlags) => {
      const { restore } = await import("./restore.ts");
      const directory = dataOf({ data, config }, env);
      print(await restore({ data: directory, from, fromJetStream, clock: systemClock, terminal: process.stderr }));
    });
}

function dataOf({ data, config }: { data?: string | undefined; config?: string | undefined }, env: Env): string {
  return configOf({ ...(data !== undefined && { data }), ...(config !== undefined && { config }) }, env).data;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
