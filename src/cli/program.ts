/** The command line. Each command is one file, `src/cli/<group>/<command>.ts`, with its options, its help and its code. */
import { Command, type Option } from "commander";
import { version } from "../base/version.ts";
import { demoCommand } from "./daemon/demo.ts";
import { identityCommand } from "./daemon/identity.ts";
import { peersCommand } from "./daemon/peers.ts";
import { probeCommand } from "./daemon/probe.ts";
import { publishCommand } from "./daemon/publish.ts";
import { resyncCommand } from "./daemon/resync.ts";
import { runCommand } from "./daemon/run.ts";
import { setupCommand } from "./daemon/setup.ts";
import { statusCommand } from "./daemon/status.ts";
import { exportCommand } from "./fixture/export.ts";
import { recordCommand } from "./fixture/record.ts";
import { redactCommand } from "./fixture/redact.ts";
import { replayCommand } from "./fixture/replay.ts";
import { shrinkCommand } from "./fixture/shrink.ts";
import { archiveCommand } from "./log/archive.ts";
import { backupCommand } from "./log/backup.ts";
import { checkCommand } from "./log/check.ts";
import { reinterpretCommand } from "./log/reinterpret.ts";
import { restoreCommand } from "./log/restore.ts";
import { unarchiveCommand } from "./log/unarchive.ts";
import { PROGRAM } from "./terminal/command-line.ts";
import { type Env, example } from "./terminal/flags.ts";
import { watchOutput } from "./terminal/output.ts";
import { checkOptions, reportUsageErrors } from "./terminal/usage.ts";

/** In the order of `--help`. A command imports large modules only when it runs, so that the others start quickly. */
const COMMANDS: readonly ((env: Env) => Command)[] = [
  runCommand,
  statusCommand,
  peersCommand,
  probeCommand,
  resyncCommand,
  publishCommand,
  setupCommand,
  identityCommand,
  demoCommand,
  recordCommand,
  exportCommand,
  redactCommand,
  replayCommand,
  shrinkCommand,
  reinterpretCommand,
  checkCommand,
  backupCommand,
  restoreCommand,
  archiveCommand,
  unarchiveCommand,
];

/**
 * Runs the command that `argv` (without node and script) names, until it is done; `run` is done after a signal. Rejects with the
 * command's error, or with Commander's.
 */
export async function program(argv: readonly string[], env: Env): Promise<void> {
  const root = programOf(env);
  watchOutput();
  const command = root.commands.find((candidate) => candidate.name() === argv[0]);
  if (command !== undefined) checkOptions(command, `oc-partnerd ${command.name()}`, argv.slice(1));
  await root.parseAsync(argv, { from: "user" });
}

/** All commands, with their help and their usage errors. */
export function programOf(env: Env): Command {
  const root = new Command(PROGRAM)
    .description(
      "Keeps one live libp2p partner stream to every peer that OpenCloud wants as a partner, and logs what happened in SQLite.",
    )
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", example("oc-partnerd run --name lyon-1", "oc-partnerd status", "oc-partnerd archive --help"))
    .configureHelp({ optionDescription })
    .exitOverride();
  reportUsageErrors(root, PROGRAM);
  for (const command of COMMANDS) {
    const added = command(env).copyInheritedSettings(root);
    reportUsageErrors(added, `${PROGRAM} ${added.name()}`);
    root.addCommand(added);
  }
  return root;
}

/** A flag's default of false says nothing, and other defaults read better without quotes. */
function optionDescription({ description, defaultValue }: Option): string {
  return defaultValue === undefined || defaultValue === false ? description : `${description} (default: ${defaultValue})`;
}
