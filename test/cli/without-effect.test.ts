/** An option or argument that a command would ignore is refused: its user expects it to do something. */
import { expect, test } from "vitest";
import { programOf } from "../../src/cli/program.ts";
import { errorWith } from "../support/matchers.ts";
import { temporaryFiles } from "./commands.ts";

const { directory: data } = temporaryFiles();

test.each([
  ["identity rotate new.pem", /^identity rotate takes no FILE/],
  ["identity show key.pem", /^identity show takes no FILE/],
  ["identity accept key.pem", /^identity accept takes no FILE/],
  ["identity export key.pem --out k", /^identity export takes no FILE/],
  ["identity show --format pem", /^--format with identity show has no effect/],
  ["identity import k.pem --out k", /^--out with identity import has no effect/],
  ["identity rotate --type ed25519", /^--type with identity rotate has no effect/],
  ["identity rotate --out k", /^--out with identity rotate has no effect/],
  ["backup --to b.db --identity-file k", /^--identity-file without --with-identity has no effect/],
  ["check --restored 5", /^--restored without --nats has no effect/],
])("%s is refused", async (line, message) => {
  const run = programOf({}).parseAsync([...line.split(" "), "--data", data], { from: "user" });
  await expect(run).rejects.toThrow(errorWith("usage", message));
  await expect(run).rejects.toMatchObject({ nextStep: expect.any(String) as string });
});
