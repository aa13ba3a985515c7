/** Examines far ends in tests, from a host of its own. */
import { generateKeyPair } from "@libp2p/crypto/keys";
import { systemRandom } from "../../src/base/clock.ts";
import type { Address } from "../../src/base/ids.ts";
import { dialAsGiven } from "../../src/p2p/dial/dial-planner.ts";
import { type ExaminationInit, examination } from "../../src/p2p/examination/create-examination.ts";
import type { EchoResult, StepName, StepResult } from "../../src/p2p/examination/step-results.ts";
import { paceClock } from "./pace/pace.ts";

type ResultOf<Name extends StepName> = Name extends "challenge" | "echo" ? EchoResult : Extract<StepResult, { step: Name }>;

export interface Examined {
  /** The steps, in order. */
  readonly steps: readonly StepName[];
  /** The result of a step; throws if there is none. */
  of<Name extends StepName>(name: Name): ResultOf<Name>;
}

export async function examine(address: Address, options: Partial<ExaminationInit> = {}): Promise<Examined> {
  const steps = examination(address, {
    clock: paceClock,
    random: systemRandom,
    privateKey: await generateKeyPair("Ed25519"),
    name: "examiner",
    did: null,
    version: "0.0.0",
    swarmKey: null,
    dialPlanner: dialAsGiven,
    heartbeat: { fields: "both", timestamp: "unix" },
    moreFormats: false,
    timeoutMs: 5_000,
    ...options,
  });
  const results: StepResult[] = [];
  for await (const result of steps) results.push(result);
  return {
    steps: results.map(({ step }) => step),
    of: <Name extends StepName>(name: Name) => {
      const found = results.find((result): result is StepResult & ResultOf<Name> => result.step === name);
      if (found === undefined) throw new Error(`no ${name} among ${results.map(({ step }) => step).join(", ")}`);
      return found;
    },
  };
}
