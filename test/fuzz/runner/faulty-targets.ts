/** Targets that fail, for the test of the runner. */
import { promise, type Target } from "../target.ts";

const isBad = (input: Uint8Array): boolean => input.includes(0x21);

const leak: Uint8Array[] = [];

function target(name: string, run: Target["run"]): Target {
  return { name, what: "nothing", run };
}

export const TARGETS: readonly Target[] = [
  target("crash", (input) => {
    if (isBad(input)) Reflect.get(undefined as unknown as object, "x");
  }),
  target("promise", (input) => promise(!isBad(input), "there is no exclamation mark")),
  target("rejection", (input) => {
    if (isBad(input)) void Promise.reject(new Error("no one waits for this"));
  }),
  target("exit", (input) => {
    if (isBad(input)) process.exit(3);
  }),
  target("loop", (input) => {
    while (isBad(input));
  }),
  target("wait", (input) => (isBad(input) ? new Promise<void>(() => {}) : Promise.resolve())),
  target("leak", () => {
    leak.push(new Uint8Array(16_384).fill(leak.length));
  }),
  target("sound", () => {}),
];
