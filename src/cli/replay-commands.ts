/** The commands that run fixtures through the simulator: their flags and their help. */
import { type Command, InvalidArgumentError } from "commander";
import { durationMsOf } from "./duration.ts";
import { example } from "./flags.ts";

export function addReplayCommands(root: Command): void {
  addReplay(root);
  addShrink(root);
}

interface ReplayFlags {
  expect?: string | true;
  until?: string;
  speed?: number;
  json: boolean;
}

function addReplay(root: Command): void {
  root
    .command("replay")
    .description("run a fixture through the simulator and print what the daemon decides; exits 1 when something does not hold")
    .argument("[fixture]", "the fixture; standard input where none is given")
    .option("--expect [trace]", "compare with this golden trace, or without one with what the fixture itself expects")
    .option("--until <duration>", "end at this time of the world, such as 90s or 10min")
    .option("--speed <factor>", "print each line when it happens, so many times as fast; 1 is real time", factor)
    .option("--json", "print JSON", false)
    .addHelpText(
      "after",
      example(
        "oc-partnerd replay night.jsonl",
        "oc-partnerd replay night.jsonl > night.trace && oc-partnerd replay night.jsonl --expect night.trace",
        "oc-partnerd export | oc-partnerd redact | oc-partnerd replay --expect",
        "oc-partnerd replay night.jsonl --speed 60 --until 10min",
      ),
    )
    .action(async (file: string | undefined, { expect, until, speed, json }: ReplayFlags) => {
      const { replay } = await import("./replay.ts");
      const untilMs = until === undefined ? undefined : durationMsOf("--until", until);
      process.exitCode = await replay(file, { expect, untilMs, speed, json, print, complain, terminal: process.stderr });
    });
}

interface ShrinkFlags {
  line?: string;
  out?: string;
  maxRuns: number;
}

function addShrink(root: Command): void {
  root
    .command("shrink")
    .description("find the smallest fixture that still shows a failure, or a given line of the trace")
    .argument("[fixture]", "the fixture; standard input where none is given")
    .option("--line <text>", "a part of the line that the trace has to keep; without it, the first failure stays")
    .option("--out <file>", "a new file for it, instead of standard output")
    .option("--max-runs <n>", "give up looking after so many replays", count, 2_000)
    .addHelpText(
      "after",
      example(
        "oc-partnerd shrink night.jsonl --out night.small.jsonl",
        'oc-partnerd shrink night.jsonl --line "paris-1 failed: refused"',
      ),
    )
    .action(async (file: string | undefined, { line, out, maxRuns }: ShrinkFlags) => {
      const { shrink } = await import("./shrink.ts");
      await shrink(file, { line, out, maxRuns, complain, terminal: process.stderr });
    });
}

function factor(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1_000_000)) throw new InvalidArgumentError("expected a number above 0, such as 1 or 60");
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number from 1");
  return value;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
