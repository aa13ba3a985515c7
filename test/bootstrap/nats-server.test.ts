/** `npm run nats-server`, as npm starts it: npm passes signals only to its own `sh -c`. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { matching } from "../support/matchers.ts";
import { until } from "../support/until.ts";
import { makeClone } from "./clone.ts";

const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
  readonly scripts: { readonly "nats-server": string };
};

test.each(["SIGTERM", "SIGINT"] as const)("%s to npm stops the server", async (signal) => {
  using clone = makeClone();
  const awaitGo = "n=0; until [ -e go ] || [ $((n += 1)) -gt 100 ]; do sleep 0.1; done";
  clone.program("nats-server", `trap 'echo stopped; exit 0' ${signal.slice(3)}; echo "$*"; ${awaitGo}`);
  const { process: npm, printed, result } = clone.start({ NATS_SERVER: "" }, ["sh", "-c", `${scripts["nats-server"]} --debug`]);
  await until("the server runs", () => printed().includes("--jetstream"));
  npm.kill(signal);
  await once(npm, "exit");
  // Ends a server that the signal has not reached. After SIGINT its sh waits for it, so it also ends by itself.
  clone.write("go", "");
  const { code, stdout } = await result;
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: `--addr 127.0.0.1 --port 4222 --jetstream --store_dir ${clone.path}/.tools/nats-server --debug\nstopped\n`,
  });
});

test("a second server with the same directory is refused, one with its own is not", async () => {
  using clone = makeClone();
  clone.program("nats-server", 'echo "$*"; n=0; until [ -e go ] || [ $((n += 1)) -gt 100 ]; do sleep 0.1; done');
  const start = (...args: string[]) => clone.start({ NATS_SERVER: "" }, ["sh", "scripts/nats-server", ...args]);
  const first = start();
  await until("the server runs", () => first.printed().includes("--jetstream"));
  const { code, stderr } = await start("--port", "4223").result;
  expect({ code, stderr }).toMatchObject({ code: 69, stderr: matching(/another server stores its messages in/) });
  const other = start("--port", "4223", "--store_dir", "elsewhere");
  await until("it runs too", () => other.printed().includes("elsewhere"));
  clone.write("go", "");
  expect([(await first.result).code, (await other.result).code]).toEqual([0, 0]);
});
