/** The command line: every command is one file, `src/cli/<group>/<command>.ts`, with its flags, its help and its work. */
import { Command } from "commander";
import { version } from "../base/version.ts";
import { demoCommand } from "./daemon/demo.ts";
import { peersCommand } from "./daemon/peers.ts";
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
import { restoreCommand } from "./log/restore.ts";
import { unarchiveCommand } from "./log/unarchive.ts";
import type { Env } from "./terminal/flags.ts";

/** In the order of `--help`. Each of them imports what is dear only when it runs, so that the others start at once. */
const COMMANDS: readonly ((env: Env) => Command)[] = [
  runCommand,
  statusCommand,
  peersCommand,
  resyncCommand,
  publishCommand,
  setupCommand,
  demoCommand,
  recordCommand,
  exportCommand,
  redactCommand,
  replayCommand,
  shrinkCommand,
  checkCommand,
  backupCommand,
  restoreCommand,
  archiveCommand,
  unarchiveCommand,
];

/** Runs the command that `argv` (without node and script) names. Resolves when it is done; `run` is done when it is ended. */
export async function program(argv: readonly string[], env: Env): Promise<void> {
  const root = new Command("oc-partnerd")
    .description("Keeps one live libp2p partner stream to every peer that OpenCloud wants as a partner, and proves it in SQL.")
    .version(version)
    .exitOverride()
    .showHelpAfterError("(oc-partnerd --help shows what there is)");
  for (const command of COMMANDS) root.addCommand(command(env).copyInheritedSettings(root));
  endQuietlyWithoutReader(process.stdout);
  await root.parseAsync(argv, { from: "user" });
}

/** Whoever read our output has enough of it, as `head` has: no error, and nothing more to do. */
function endQuietlyWithoutReader(output: NodeJS.WriteStream): void {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}
