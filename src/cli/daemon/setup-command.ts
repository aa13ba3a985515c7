/** The command that prepares JetStream: its flags and its help. */
import type { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { configOf, type DaemonFlags, type Env, example } from "../flags.ts";
import { type LimitFlags, streamLimitsOf } from "./stream-limits.ts";

interface SetupFlags extends LimitFlags, Pick<DaemonFlags, "nats" | "config"> {
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function addSetup(root: Command, env: Env): void {
  root
    .command("setup")
    .description("create or verify the JetStream stream and consumer; exits 1 where something cannot be changed in place")
    .option("--nats <url>", "NATS server; without one: 127.0.0.1:4222")
    .option("--config <file>", "the daemon's configuration file")
    .option("--dry-run", "only say what would be changed", false)
    .option("--json", "print JSON", false)
    .option("--max-bytes <size>", "how much the stream keeps, such as 4GiB, or unlimited; a new one keeps 1GiB")
    .option("--max-age <duration>", "for how long it keeps it, such as 90d, or unlimited; a new one for ever")
    .option("--replicas <n>", "at how many servers of a cluster")
    .addHelpText(
      "after",
      example(
        "oc-partnerd setup --dry-run",
        "oc-partnerd setup --nats nats://127.0.0.1:4222 --max-bytes 4GiB --max-age 90d",
        "OCPARTNERD_NATS_USER=setup OCPARTNERD_NATS_PASSWORD=... oc-partnerd setup   # the daemon's own user may do less",
      ),
    )
    .action(async (flags: SetupFlags) => {
      const limits = streamLimitsOf(flags);
      const { setup } = await import("./setup.ts");
      const { dryRun, json } = flags;
      const { text, feasible } = await setup(configOf(daemonFlagsOf(flags), env), { limits, dryRun, json, clock: systemClock });
      process.stdout.write(`${text}\n`);
      if (!feasible) process.exitCode = 1;
    });
}

function daemonFlagsOf({ nats, config }: SetupFlags): DaemonFlags {
  return { ...(nats !== undefined && { nats }), ...(config !== undefined && { config }) };
}
