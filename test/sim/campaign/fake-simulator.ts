/** Tiny fake simulators for testing the command; their behaviour depends on the seed. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const GENERATE = `
export const generate = (seed) => ({
  header: { fixture: "oc-partnerd", version: 1, seed, self: "self", latencyMs: 5, settings: {
    inbound: "unless-revoked", concurrency: 64, openTimeoutMs: 5000, renewTimeoutMs: 3000, resyncMs: 5000, delivery: "at_most_once", headFile: false } },
  lines: Array.from({ length: 12 }, (_, index) => ({ atMs: index * 1000, peer: "p" + index, does: "fin" })),
});`;

/** `body` is the body of simulate(fixture, options), with `seed`, `ok` and `broken(invariant)` in scope. */
export function writeFakeSimulator(directory: string, body: string): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "generate.ts"), GENERATE);
  writeFileSync(
    join(directory, "simulate.ts"),
    `let calls = 0;
export async function simulate(fixture, options = {}) {
  calls += 1;
  const { seed } = fixture.header;
  const ok = { violations: [], trace: ["a", "seed " + seed], traceHash: "hash-" + seed, simulatedMs: 1000, steps: 10, peers: 20 };
  const broken = (invariant) => ({ ...ok, violations: [{ invariant, atMs: 5, message: "of seed " + seed }] });
  ${body}
}
`,
  );
  return directory;
}
