/** The HTTP listener: started, or refused with one clear error. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { messageOf, PartnerdError } from "../base/errors.ts";
import type { HostPort } from "../config/schema.ts";

export interface HttpServer extends AsyncDisposable {
  /** Where it really listens, as `http://HOST:PORT`. */
  readonly url: string;
}

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
    return new PartnerdError("port_taken", `${where} is taken by another process`, {
      nextStep: "end it, or choose another with --http HOST:PORT",
      cause: error,
    });
  }
  return new PartnerdError("listen_failed", `${where} cannot be listened on: ${messageOf(error)}`, {
    nextStep: "choose another with --http HOST:PORT",
    cause: error,
  });
}
