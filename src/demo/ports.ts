/** Free TCP ports on loopback, for nodes that come back on the port that they had. */
import { createServer } from "node:net";
import type { Random } from "../base/clock.ts";
import { PartnerdError } from "../base/errors.ts";

/**
 * Below the range that systems take outgoing ports from: while a node is down, nobody's outgoing connection can sit on its port
 * by chance.
 */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const MAX_TRIES = 200;

/** `count` different ports that were free a moment ago. */
export async function freePorts(count: number, random: Random): Promise<readonly number[]> {
  const free = new Set<number>();
  for (let tries = 0; free.size < count; tries++) {
    if (tries === MAX_TRIES) throw new PartnerdError("port_taken", `no ${count} free ports found on 127.0.0.1`);
    const port = FIRST_PORT + Math.floor(random.next() * PORTS);
    if (!free.has(port) && (await isFree(port))) free.add(port);
  }
  return [...free];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
