/** A signal stops work that can be stopped, and then the process, as if nothing had caught it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";

const SOURCE = new URL("../../../src/cli/terminal/stoppable.ts", import.meta.url).href;

const PROGRAM = `
  import { stoppable } from ${JSON.stringify(SOURCE)};
  const held = setInterval(() => {}, 1_000);
  await stoppable((signal) => new Promise((resolve) => {
    signal.addEventListener("abort", () => { console.log("cleaned up"); resolve(); });
    console.log("working");
  }));
  console.log("not reached");
  clearInterval(held);`;

it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s", async (signal) => {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === "working") child.kill(signal);
  }
  expect(await closed).toEqual([null, signal]);
  expect(lines).toEqual(["working", "cleaned up"]);
});
