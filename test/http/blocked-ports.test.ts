/** Ports that WHATWG fetch refuses, such as X11's and IRC's: the commands do not use fetch, so `--http` may name them. */
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { daemonClient } from "../../src/http/client.ts";

const BLOCKED = [10_080, 6_000, 6_566, 6_665, 6_666, 6_667, 6_668, 6_669, 6_697];

/** Serves on the first of these ports that is free. */
async function listen(owner: AsyncDisposableStack): Promise<number> {
  for (const port of BLOCKED) {
    const server = createServer((_request, response) => response.end('{"name":"lyon-1"}'));
    const isListening = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isListening) continue;
    owner.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return port;
  }
  throw new Error(`none of the ports ${BLOCKED.join(", ")} is free`);
}

test("the client of the commands reaches a daemon on a port that fetch blocks", async () => {
  await using owner = new AsyncDisposableStack();
  const port = await listen(owner);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({ cause: { message: "bad port" } });
  expect(await daemonClient({ host: "127.0.0.1", port }).self()).toEqual({ name: "lyon-1" });
});
