import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { systemRandom } from "../../../src/base/clock.ts";
import { freePorts } from "../../../src/demo/stage/stage.ts";

test("the ports are all different and below the range of ephemeral ports", async () => {
  const ports = await freePorts(20, systemRandom);
  expect(new Set(ports).size).toBe(20);
  for (const port of ports) {
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(32_000);
  }
});

test("a port that is in use is not returned", async () => {
  const [taken = 0] = await freePorts(1, systemRandom);
  const server = createServer().listen(taken, "127.0.0.1");
  await once(server, "listening");
  try {
    const draws = [(taken - 20_000) / 12_000 + 1e-9, 0.5];
    const [given] = await freePorts(1, { next: () => draws.shift() ?? 0.25, bytes: () => new Uint8Array() });
    expect(draws.length).toBeLessThan(2);
    expect(given).not.toBe(taken);
  } finally {
    server.close();
  }
});
