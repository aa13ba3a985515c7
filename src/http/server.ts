/** The HTTP listener. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { messageOf, PartnerdError } from "../base/errors.ts";
import type { HostPort } from "../config/schema.ts";

export interface HttpServer extends AsyncDisposable {
  /** The bound address, as `http://HOST:PORT`. */
  readonly url: string;
}

/** Rejects with `port_taken` or `listen_failed`. */
export async function startHttp(app: Hono, at: HostPort): Promise<HttpServer> {
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(listenError(error, at)));
    server.listen(at.port, at.host, resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : at.port;
  return {
    url: `http://${at.host.includes(":") ? `[${at.host}]` : at.host}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listenError(error: NodeJS.ErrnoException, at: HostPort): PartnerdError {
  const where = `http ${at.host}:${at.port}`;
  if (error.code === "EADDRINUSE") {
    return new PartnerdError("port_taken", `${where} is in use by another process`, {
      nextStep: "stop that process, or choose another address with --http HOST:PORT",
      cause: error,
    });
  }
  return new PartnerdError("listen_failed", `cannot listen on ${where}: ${messageOf(error)}`, {
    nextStep: "choose another address with --http HOST:PORT",
    cause: error,
  });
}
