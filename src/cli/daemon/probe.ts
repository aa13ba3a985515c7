/** `oc-partnerd probe ADDRESS`: reports step by step what a far end speaks, and which setting to change. */
import { Command } from "commander";
import { systemClock as clock, systemRandom as random } from "../../base/clock.ts";
import type { Config } from "../../config/schema.ts";
import type { FarEndProbeRequest, ProbedStep } from "../../daemon/far-end-probe.ts";
import {
  CONFIG_FLAG,
  configOf,
  DATA_FLAG,
  type DaemonFlags,
  durationFlag,
  type Env,
  example,
  JSON_FLAG,
} from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";
import { complainingLogger, jsonText, print } from "../terminal/output.ts";
import { marksFor, probeClosing, probeLine } from "./probe-text.ts";
import { reportStrayRejections } from "./run.ts";

interface ProbeFlags extends Pick<DaemonFlags, "config" | "data" | "identityFile"> {
  readonly asSelf: boolean;
  readonly moreFormats: boolean;
  readonly timeout: string;
  readonly json: boolean;
}

/** An answer takes milliseconds; ten minutes are more than anyone waits. */
const LONGEST_TIMEOUT_MS = 600_000;

export function probeCommand(env: Env): Command {
  return new Command("probe")
    .description("show step by step what the program at an address speaks; exits 1 if a partner stream would not work")
    .argument("<address>", "multiaddr of its TCP port, with or without /p2p/PEERID")
    .option("--as-self", "use the daemon's identity, not a throwaway one; the daemon must not run", false)
    .option("--more-formats", "after an accepted heartbeat format, also try those that differ from it in one setting", false)
    .option("--timeout <duration>", "time limit of each question to each address of the far end", "10s")
    .option(...DATA_FLAG)
    .option("--identity-file <file>", "with --as-self: the daemon's key, if it is not in the data directory")
    .option(...CONFIG_FLAG)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd probe /ip4/192.0.2.7/tcp/4001/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
        "oc-partnerd probe /dns4/lyon.example/tcp/4001 --as-self --data /var/lib/oc-partnerd",
        "oc-partnerd probe /dns4/lyon.example/tcp/4001 --json | jq -r '.steps[] | select(.advice) | .advice'",
      ),
    )
    .action(async (address: string, { asSelf, moreFormats, timeout, json, ...flags }: ProbeFlags) => {
      const timeoutMs = durationFlag("--timeout", timeout, LONGEST_TIMEOUT_MS);
      const config = configOf(flags, env);
      if (!(await runProbe(config, { address, asSelf, moreFormats, timeoutMs }, { json, env }))) process.exitCode = 1;
    });
}

/** Prints each step as it is done. True if a partner stream would work. Ctrl-C ends the process: there is nothing to undo. */
async function runProbe(
  config: Config,
  request: FarEndProbeRequest,
  { json, env }: { readonly json: boolean; readonly env: Env },
): Promise<boolean> {
  const { probeFarEnd, wouldWork } = await import("../../daemon/far-end-probe.ts");
  using _alive = holdEventLoop();
  // A promise that a library fails to handle must not end the report, but must not go unnoticed.
  using _rejections = reportStrayRejections(process, complainingLogger);
  const { self, steps } = await probeFarEnd(config, request, { clock, random });
  const marks = marksFor(env);
  const done: ProbedStep[] = [];
  const identity = request.asSelf ? "self" : "throwaway";
  if (!json) print(`probing as ${self} (${request.asSelf ? "the daemon's identity" : "a throwaway identity"})`);
  for await (const step of steps) {
    done.push(step);
    if (!json) print(probeLine(step, marks));
  }
  const works = wouldWork(done);
  print(json ? jsonText({ address: request.address, self, identity, works, steps: done }) : probeClosing(works, done));
  return works;
}
