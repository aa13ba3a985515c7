/** The short form of `npm run abuse`, beside other tests, so with twice the bounds for times and memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const MAIN = fileURLToPath(new URL("../abuse/main.ts", import.meta.url));

test("no partner notices an attack", async () => {
  const child = spawn(process.execPath, [MAIN, "--seconds", "3", "--canaries", "10", "--tolerance", "2"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, output).toBe(0);
});
