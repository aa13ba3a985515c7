/** The commands that make and change fixtures: their flags and their help. */
import type { Command } from "commander";
import { collect, configOf, type Env, example } from "./flags.ts";

export function addFixtureCommands(root: Command, env: Env): void {
  addRecord(root, env);
  addExport(root, env);
  addRedact(root);
}

interface RecordFlags {
  nats?: string;
  config?: string;
  out?: string;
  for?: string;
}

function addRecord(root: Command, env: Env): void {
  root
    .command("record")
    .description("write what is published on NATS to a fixture, until Ctrl-C")
    .option("--nats <url>", "NATS server; without one: 127.0.0.1:4222")
    .option("--config <file>", "the daemon's configuration file")
    .option("--out <file>", "a new file for it; recorded-TIME.jsonl where none is given")
    .option("--for <duration>", "end after this time, such as 90s, 10min or 8h")
    .addHelpText(
      "after",
      example("oc-partnerd record --out night.jsonl --for 8h", "oc-partnerd record --nats nats://127.0.0.1:4222"),
    )
    .action(async ({ config, nats, out, for: duration }: RecordFlags) => {
      const { record } = await import("./record.ts");
      await record({ config: configOf({ ...given({ config, nats }) }, env), out, duration, terminal: process.stderr });
    });
}

interface ExportFlags {
  data?: string;
  config?: string;
  peer?: string[];
  from?: string;
  to?: string;
  out?: string;
}

function addExport(root: Command, env: Env): void {
  root
    .command("export")
    .description("write a part of a daemon's log as a fixture; the daemon may run meanwhile")
    .option("--data <dir>", "the daemon's data directory, or a copy of its database")
    .option("--config <file>", "the daemon's configuration file")
    .option("--peer <peerid>", "only this peer (repeatable)", collect)
    .option("--from <seq|time>", "begin here: a seq of the log, or a time in UTC such as 2026-01-01T12:00:00Z")
    .option("--to <seq|time>", "end here")
    .option("--out <file>", "a new file for it, instead of standard output")
    .addHelpText(
      "after",
      example(
        "oc-partnerd export --data /var/lib/oc-partnerd --from 2026-01-01T22:00 --to 2026-01-02T06:00 --out night.jsonl",
        "oc-partnerd export --peer 12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh | oc-partnerd redact --out lyon.jsonl",
      ),
    )
    .action(async ({ data, config, peer = [], from, to, out }: ExportFlags) => {
      const [{ exportFixture }, { writeFixture }] = await Promise.all([import("./export.ts"), import("./files.ts")]);
      const directory = configOf(given({ data, config }), env).data;
      await writeFixture(exportFixture({ data: directory, peers: peer, from, to, terminal: process.stderr }), out);
    });
}

function addRedact(root: Command): void {
  root
    .command("redact")
    .description("replace every name, id and address in a fixture by a pseudonym that means the same")
    .argument("[fixture]", "the fixture; standard input where none is given")
    .option("--out <file>", "a new file for it, instead of standard output")
    .addHelpText(
      "after",
      example("oc-partnerd redact night.jsonl --out night.redacted.jsonl", "oc-partnerd export | oc-partnerd redact"),
    )
    .action(async (file: string | undefined, { out }: { out?: string }) => {
      const { redact } = await import("./redact.ts");
      await redact(file, out);
    });
}

/** Without the flags that were not given. */
function given<Flags extends object>(flags: Flags): { [Name in keyof Flags]?: NonNullable<Flags[Name]> } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as never;
}
