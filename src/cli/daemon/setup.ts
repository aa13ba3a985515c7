/** `oc-partnerd setup`: creates or verifies the JetStream stream and consumer, and reports what it found and did. */
import { Command } from "commander";
import { systemClock as clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { DAY_MS, parseBytes } from "../../base/units.ts";
import type { Config } from "../../config/schema.ts";
import { subjectsOf } from "../../events/vocabulary.ts";
import type { HeadsSetup } from "../../nats/heads/heads-setup.ts";
import type { LimitChanges } from "../../nats/setup/stream-config.ts";
import { copyable } from "../terminal/command-line.ts";
import {
  CONFIG_FLAG,
  configOf,
  type DaemonFlags,
  DURATION_UNITS,
  durationFlag,
  type Env,
  example,
  JSON_FLAG,
  NATS_FLAG,
  natsOf,
} from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";

interface SetupFlags extends LimitFlags, Pick<DaemonFlags, "nats" | "config"> {
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function setupCommand(env: Env): Command {
  return new Command("setup")
    .description("create or verify the JetStream streams and the consumer; exits 1 if a setting cannot be changed in place")
    .option(...NATS_FLAG)
    .option(...CONFIG_FLAG)
    .option("--dry-run", "show what would change, without changing it", false)
    .option(...JSON_FLAG)
    .option("--max-bytes <size>", "stream size limit, for example 4GiB or unlimited (new streams: 1GiB)")
    .option("--max-age <duration>", `message age limit, for example 90d or unlimited; ${DURATION_UNITS} (new streams: unlimited)`)
    .option("--replicas <n>", "number of replicas in a cluster, 1 to 5 (new streams: 1)")
    .addHelpText(
      "after",
      example(
        "oc-partnerd setup --dry-run",
        "oc-partnerd setup --nats nats://127.0.0.1:4222 --max-bytes 4GiB --max-age 90d",
        "OCPARTNERD_NATS_USER=setup OCPARTNERD_NATS_PASSWORD=... oc-partnerd setup   # the daemon's own user needs fewer permissions",
      ),
    )
    .action(async (flags: SetupFlags) => {
      const limits = streamLimitsOf(flags);
      const { nats, config } = flags;
      const { text, feasible } = await runSetup(configOf({ nats, config }, env), flags, limits);
      print(flags.json ? text : copyable(text));
      if (!feasible) process.exitCode = 1;
    });
}

/** For all requests together. Each normally takes milliseconds. */
const TIMEOUT_MS = 15_000;

interface SetupOutput {
  readonly text: string;
  /** False if a setting is wrong and cannot be changed in place. */
  readonly feasible: boolean;
}

/** Rejects with the errors of nats/setup/setup.ts. */
async function runSetup(config: Config, { dryRun, json }: SetupFlags, limits: LimitChanges): Promise<SetupOutput> {
  const { withOneClient } = await import("../../nats/connection/one-client.ts");
  const { planFor, setUp } = await import("../../nats/setup/setup.ts");
  const { isFeasible } = await import("../../nats/setup/plan.ts");
  const { setUpHeads } = await import("../../nats/heads/heads-setup.ts");
  const { headsText, setupText } = await import("./setup-text.ts");
  const { stream, consumer } = config.nats;
  const wanted = { stream, consumer, subjects: subjectsOf(config.events), limits };
  return withOneClient(await natsOf(config), "answer", { clock, timeoutMs: TIMEOUT_MS }, async (client, server) => {
    const plan = await planFor(client, wanted);
    const feasible = isFeasible(plan);
    const outcome = !feasible ? "refused" : dryRun ? "planned" : "done";
    if (outcome === "done") await setUp(client, wanted);
    const { replicas } = plan.stream.limits;
    const heads =
      feasible && config.nats.heads === "publish" ? await setUpHeads(client, { replicas, isDryRun: dryRun }) : undefined;
    if (json) return { feasible, text: jsonText({ server, outcome, ...plan, heads: heads && headsJson(heads) }) };
    return { feasible, text: setupText(plan, server, outcome, heads === undefined ? [] : headsText(heads, outcome)) };
  });
}

function headsJson({ problem, ...heads }: HeadsSetup): object {
  return { ...heads, problem: problem && { code: problem.code, message: problem.message, nextStep: problem.nextStep } };
}

const UNLIMITED = "unlimited";
const LONGEST_AGE_MS = 3_650 * DAY_MS;
/** JetStream's limits. */
const SHORTEST_AGE_MS = 100;
const MOST_REPLICAS = 5;

interface LimitFlags {
  readonly maxBytes?: string;
  readonly maxAge?: string;
  readonly replicas?: string;
}

/** Parses the limit flags. Throws usage, naming flag and value. */
export function streamLimitsOf({ maxBytes, maxAge, replicas }: LimitFlags): LimitChanges {
  return {
    maxBytes: maxBytes === undefined ? undefined : sizeOf(maxBytes),
    maxAgeMs: maxAge === undefined ? undefined : ageMsOf(maxAge),
    replicas: replicas === undefined ? undefined : replicasOf(replicas),
  };
}

function sizeOf(text: string): number | null {
  if (text === UNLIMITED) return null;
  const bytes = parseBytes(text) ?? 0;
  if (bytes > 0 && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw usage("--max-bytes", text, "a size", `a number with KiB, MiB, GiB or TiB, for example 4GiB, or ${UNLIMITED}`);
}

function ageMsOf(text: string): number | null {
  if (text === UNLIMITED) return null;
  const ageMs = durationFlag("--max-age", text, LONGEST_AGE_MS);
  if (ageMs >= SHORTEST_AGE_MS) return ageMs;
  throw usage("--max-age", text, `at least ${SHORTEST_AGE_MS}ms`, `a duration such as 90d, or ${UNLIMITED}`);
}

function replicasOf(text: string): number {
  if (/^\d$/.test(text) && Number(text) >= 1 && Number(text) <= MOST_REPLICAS) return Number(text);
  throw usage(
    "--replicas",
    text,
    `a number from 1 to ${MOST_REPLICAS}`,
    "an odd number, at most the number of servers, for example 3",
  );
}

function usage(flag: string, text: string, expected: string, example: string): PartnerdError {
  return new PartnerdError("usage", `${flag} is ${shownValue(text)}, expected ${expected}`, { nextStep: `give ${example}` });
}
