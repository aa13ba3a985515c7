/** A mistyped `--data`: only commands that begin a data directory create it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { programOf } from "../../src/cli/program.ts";
import { errorWith } from "../support/matchers.ts";
import { temporaryFiles } from "./commands.ts";

const { directory } = temporaryFiles();
/** For each command another one, of which nothing exists. */
const dataOf = (line: string) => join(directory, line.replaceAll(/\W/g, ""), "none");

test.each([
  "archive --before 1",
  "backup --to b.db",
  "check",
  "check --nats nats://127.0.0.1:9",
  "export",
  "reinterpret",
  "reinterpret --dry-run",
  "restore --from-jetstream",
  "restore --from none.db",
  "status --as-of 1",
  "unarchive --to b.db",
  "identity accept",
  "identity rotate",
])("%s does not create it, and says what to name instead", async (line) => {
  const data = dataOf(line);
  const words = line.replaceAll(/\w+\.db/g, (name) => join(directory, name)).split(" ");
  const run = programOf({}).parseAsync([...words, "--data", data], { from: "user" });
  await expect(run).rejects.toThrow(errorWith("database_failed", /there is no (database|log) in/));
  await expect(run).rejects.toMatchObject({ nextStep: expect.stringMatching(/--(data|from)\b/) as string });
  expect(existsSync(data)).toBe(false);
});

test.each(["identity show", "identity export --out k.pem"])("%s does not create it, and names the key's file", async (line) => {
  const data = dataOf(line);
  const run = programOf({}).parseAsync([...line.split(" "), "--data", data], { from: "user" });
  await expect(run).rejects.toThrow(errorWith("identity_invalid", /none\/identity\.key/));
  expect(existsSync(data)).toBe(false);
});
