import { availableParallelism } from "node:os";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PLANTS, plantOf } from "../plants/all.ts";
import { parseCommandLine } from "./command-line.ts";

/** commander prints its errors. */
beforeEach(() => void vi.spyOn(process.stderr, "write").mockReturnValue(true));
afterEach(() => void vi.restoreAllMocks());

describe("the command line of the simulator", () => {
  it("by default runs seeds 1 to 2,000 on all cores, every 20th twice", () => {
    expect(parseCommandLine([])).toMatchObject({
      kind: "seeds",
      seeds: 2_000,
      from: 1,
      drawing: { size: "mixed" },
      plant: undefined,
      workers: availableParallelism(),
      twiceEvery: 20,
      keepGoing: false,
      hashes: false,
      json: false,
      out: process.cwd(),
      hangMs: 60_000,
    });
  });

  it("accepts every option", () => {
    const flags =
      "--seeds 7 --from 0 --plant wake-forgotten --workers 3 --twice-every 0 --keep-going --json --out /tmp/x --hang-after 5";
    expect(parseCommandLine(flags.split(" "))).toMatchObject({
      kind: "seeds",
      seeds: 7,
      from: 0,
      plant: plantOf("wake-forgotten"),
      workers: 3,
      twiceEvery: 0,
      keepGoing: true,
      json: true,
      out: "/tmp/x",
      hangMs: 5_000,
    });
  });

  it("draws worlds of a size, or small ones with the given faults", () => {
    expect(parseCommandLine(["--size", "large"])).toMatchObject({ drawing: { size: "large" } });
    expect(parseCommandLine(["--mix", "crash,purge"])).toMatchObject({ drawing: { size: "small", mix: ["crash", "purge"] } });
    expect(parseCommandLine(["--mix", "none", "--size", "small"])).toMatchObject({ drawing: { size: "small", mix: [] } });
    expect(parseCommandLine(["--mix", "crash", "--size", "several"])).toMatchObject({
      drawing: { size: "several", mix: ["crash"] },
    });
  });

  it("measures coverage, and writes it", () => {
    expect(parseCommandLine(["--coverage", "--write"])).toMatchObject({ kind: "seeds", coverage: true, write: true });
  });

  it("hunts every planted bug, or only the named ones", () => {
    expect(parseCommandLine(["--plants", "--write"])).toMatchObject({
      kind: "plants",
      seeds: 8_000,
      plants: PLANTS,
      write: true,
    });
    const two = parseCommandLine(["--plants", "--plant", "fin-ignored", "--plant", "dials-itself"]);
    expect(two).toMatchObject({ plants: [plantOf("fin-ignored"), plantOf("dials-itself")] });
  });

  it("replays a fixture, with or without a planted bug", () => {
    expect(parseCommandLine(["--replay", "x.jsonl"])).toMatchObject({ kind: "replay", file: "x.jsonl", plant: undefined });
    expect(parseCommandLine(["--replay", "x.jsonl", "--plant", "fin-ignored"])).toMatchObject({ plant: plantOf("fin-ignored") });
  });

  it.each([
    ["--seeds", "0"],
    ["--seeds", "many"],
    ["--seeds", "-1"],
    ["--seeds", "1.5"],
    ["--seeds", "1e99"],
    ["--from", ""],
    ["--workers", "0"],
    ["--nonsense"],
    ["nonsense"],
    ["--replay"],
    ["--size", "tiny"],
  ])("refuses %s %s", (...argv) => {
    expect(() => parseCommandLine(argv)).toThrow(expect.objectContaining({ name: "CommanderError" }) as Error);
  });

  it.each([
    ["--plants --hashes", "--plants cannot be combined with --hashes"],
    ["--plants --twice-every 3", "--plants cannot be combined with --twice-every"],
    ["--replay x --seeds 3", "--replay cannot be combined with --seeds"],
    ["--replay x --plants", "--replay cannot be combined with --plants"],
    ["--mix crash --size large", "--mix cannot be combined with --size large"],
    ["--mix crash,rain", "unknown faults in --mix: rain"],
    ["--replay x --size small", "--replay cannot be combined with --size"],
    ["--write", "--write requires --plants or --coverage"],
    ["--coverage --size large", "--coverage cannot be combined with --size"],
    ["--coverage --plant fin-ignored", "--coverage cannot be combined with --plant"],
    ["--hashes --json", "both print to standard output"],
    ["--plant fin-ignored --plant dials-itself", "--plant is given more than once"],
    ["--plant wake-forgoten", 'unknown planted bug "wake-forgoten"; did you mean wake-forgotten?'],
  ])("refuses %s", (line, message) => {
    const refusal = expect.objectContaining({ code: "usage", message: expect.stringContaining(message) as string }) as Error;
    expect(() => parseCommandLine(line.split(" "))).toThrow(refusal);
  });
});
