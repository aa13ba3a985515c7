/** `npm run bench`: measures, prints, and writes one JSON file per benchmark. Exits with 0 regardless of the figures. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { systemClock } from "../src/base/clock.ts";
import { messageOf, PartnerdError } from "../src/base/errors.ts";
import { silentLogger } from "../src/base/log.ts";
import { report } from "../src/cli/terminal/report.ts";
import { startPrivateServer } from "../src/nats/server/private-server.ts";
import { measureAcknowledge } from "./acknowledge.ts";
import { describeEnvironment, type Environment } from "./environment.ts";
import { measureEstablish } from "./establish.ts";
import { startFleet } from "./fleet.ts";
import { measureHeadOfLine } from "./head-of-line.ts";
import { measureIngest } from "./ingest.ts";
import { measureMemory } from "./memory.ts";
import { measureReplay } from "./replay.ts";
import {
  acknowledgeText,
  environmentText,
  establishText,
  headOfLineText,
  ingestText,
  memoryText,
  replayText,
  timeTravelText,
} from "./table.ts";
import { measureTimeTravel } from "./time-travel.ts";

interface Flags {
  readonly quick: boolean;
  readonly only?: string;
  readonly out?: string;
  readonly data: string;
}

const RESULTS = join(import.meta.dirname, "results");

/** 5,000 ms per dial is the daemon's own default. */
const FULL = {
  establish: { partners: 200, warmUp: 40 },
  headOfLine: { hosts: 100, blackHoles: 10, rounds: 7 },
  replay: { partners: 500, events: 100_000, rounds: 15 },
  ingest: { events: 50_000, rounds: 5 },
  acknowledge: { events: 100_000, rounds: 3 },
  memory: { events: 1_000_000 },
  timeTravel: { peers: 10_000, events: 1_000_000, rounds: 25 },
  openTimeoutMs: 5_000,
} as const;

const QUICK = {
  establish: { partners: 10, warmUp: 5 },
  headOfLine: { hosts: 10, blackHoles: 2, rounds: 1 },
  replay: { partners: 20, events: 1_000, rounds: 1 },
  ingest: { events: 1_000, rounds: 1 },
  acknowledge: { events: 1_000, rounds: 1 },
  memory: { events: 10_000 },
  timeTravel: { peers: 100, events: 5_000, rounds: 3 },
  openTimeoutMs: 1_000,
} as const;

const command = new Command("npm run bench --")
  .description("Measures the daemon against its floor in the same run. Takes about ten minutes.")
  .option(
    "--quick",
    "use few partners, to check that everything runs; the figures mean little, and no files are written without --out",
    false,
  )
  .addOption(
    new Option("--only <name>", "run only this benchmark").choices([
      "establish",
      "head-of-line",
      "replay",
      "ingest",
      "acknowledge",
      "memory",
      "time-travel",
    ]),
  )
  .option("--out <dir>", "directory for the JSON files (default: bench/results)")
  .option("--data <dir>", "directory for the daemons' databases; must be on a real disk, where fsync has a cost", tmpdir())
  .exitOverride()
  .showHelpAfterError("(see npm run bench -- --help)")
  .action(bench);
try {
  await command.parseAsync();
} catch (thrown) {
  report(thrown);
}

async function bench({ quick, only, out = quick ? undefined : RESULTS, data }: Flags): Promise<void> {
  const { establish, headOfLine, replay, ingest, acknowledge, memory, timeTravel, openTimeoutMs } = quick ? QUICK : FULL;
  if (out !== undefined) ensureDirectory("--out", out);
  ensureDirectory("--data", data);
  const directory = mkdtempSync(join(data, "oc-partnerd-bench-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  for (const [signal, exitCode] of [["SIGINT", 130] as const, ["SIGTERM", 143] as const]) {
    process.once(signal, () => process.exit(exitCode));
  }
  await using nats = await startPrivateServer({ dataDir: directory, env: process.env, clock: systemClock, logger: silentLogger });
  const environment = await describeEnvironment(nats.url);
  print(environmentText(environment));

  /** One server per benchmark, so that no other stream has the same subjects. */
  const serverOf = (benchmark: string) =>
    startPrivateServer({ dataDir: join(directory, benchmark), env: process.env, clock: systemClock, logger: silentLogger });
  const isWanted = (benchmark: string) => only === undefined || only === benchmark;
  const common = { natsUrl: nats.url, directory, openTimeoutMs };
  if (isWanted("establish")) {
    const { partners, warmUp } = establish;
    await using fleet = await startFleet({ hosts: warmUp + partners, blackHoles: 0 });
    const result = await measureEstablish({ ...common, fleet, warmUp });
    print(establishText(result));
    save(out, environment, result);
  }
  if (isWanted("head-of-line")) {
    const { hosts, blackHoles, rounds } = headOfLine;
    await using fleet = await startFleet({ hosts, blackHoles });
    const result = await measureHeadOfLine({ ...common, fleet, rounds });
    print(headOfLineText(result));
    save(out, environment, result);
  }
  if (isWanted("replay")) {
    const result = measureReplay({ directory, ...replay });
    print(replayText(result));
    save(out, environment, result);
  }
  if (isWanted("ingest")) {
    await using server = await serverOf("ingest");
    const result = await measureIngest({ natsUrl: server.url, directory, ...ingest });
    print(ingestText(result));
    save(out, environment, result);
  }
  if (isWanted("acknowledge")) {
    await using server = await serverOf("acknowledge");
    const result = await measureAcknowledge({ natsUrl: server.url, ...acknowledge });
    print(acknowledgeText(result));
    save(out, environment, result);
  }
  if (isWanted("memory")) {
    await using server = await serverOf("memory");
    const result = await measureMemory({ natsUrl: server.url, directory, ...memory });
    print(memoryText(result));
    save(out, environment, result);
  }
  if (isWanted("time-travel")) {
    const result = measureTimeTravel({ directory, ...timeTravel });
    print(timeTravelText(result));
    save(out, environment, result);
  }
}

/** Creates the directory before measuring, so that a wrong path fails at once. */
function ensureDirectory(flag: string, path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new PartnerdError("usage", `${flag} ${path} cannot be created: ${messageOf(error)}`, {
      nextStep: "choose a directory that this user can write to",
    });
  }
}

function save(out: string | undefined, environment: Environment, result: { readonly benchmark: string }): void {
  if (out === undefined) return;
  const file = join(out, `${result.benchmark}.json`);
  writeFileSync(file, `${JSON.stringify({ ...environment, ...result }, null, 2)}\n`);
  print(`written to ${file}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n\n`);
}
