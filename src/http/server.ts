/** The HTTP listeners: one for the API, and one for health and metrics only. */
import { lookup } from "node:dns/promises";
import type { Server } from "node:http";
import { hostname } from "node:os";
import type { Hono } from "hono";
import { messageOf, PartnerdError } from "../base/errors.ts";
import { isLoopbackAddress } from "../base/net/ip.ts";
import { exposureProblem, type HostPort, type HttpConfig, httpAddressText } from "../config/http-settings.ts";
import { type AccessRules, type RefusalReason, refusalOf } from "./access.ts";
import { ownHosts } from "./hosts.ts";
import { createListener } from "./listener.ts";
import { readTokens } from "./tokens.ts";
import { listenOnSocket } from "./unix-socket.ts";

export interface HttpServer extends AsyncDisposable {
  /** The bound address, as `http://HOST:PORT` or `unix:PATH`. */
  readonly url: string;
  /** The bound IP address and port; null for a Unix socket. */
  readonly bound: HostPort | null;
}

interface ApiServer extends HttpServer {
  /** Replaces the tokens by those in the token files. Throws `config_invalid` and keeps the old ones if a file is unusable. */
  rereadTokens(): void;
}

/**
 * Serves the API at `http.listen`. Rejects with `config_invalid` if a token file is unusable, or if other machines could use the API
 * without a token; with `port_taken` or `listen_failed` otherwise. `onRefused` is told of each refused request.
 */
export async function startHttp(app: Hono, http: HttpConfig, onRefused: (reason: RefusalReason) => void): Promise<ApiServer> {
  const { listen, allowedHosts } = http;
  let tokens = readTokens(http);
  const address = "path" in listen ? undefined : await addressOf("http.listen", listen);
  const exposure = exposureProblem(http, address);
  if (exposure !== undefined) {
    const resolved = address === listenedHost(http) ? "" : ` is ${address}, which`;
    throw new PartnerdError("config_invalid", `http.listen: "${httpAddressText(listen)}"${resolved} ${exposure}`, {
      nextStep: "choose one of these in the configuration or with --http; docs/HTTP.md has examples",
    });
  }
  const rules: Omit<AccessRules, "tokens"> = {
    hosts: address === undefined ? undefined : ownHosts(listen, allowedHosts, hostname()),
    openMetrics: address === undefined || isLoopbackAddress(address),
  };
  const rereadTokens = () => {
    tokens = readTokens(http);
  };
  const server = createListener(app, (facts) => {
    const refusal = refusalOf(facts, { ...rules, tokens });
    if (refusal !== undefined) onRefused(refusal.reason);
    return refusal;
  });
  if ("path" in listen) {
    const removeSocket = await listenOnSocket(server, listen.path);
    return { ...running(server, { url: httpAddressText(listen), bound: null }, removeSocket), rereadTokens };
  }
  return { ...(await listenOnTcp(server, "http.listen", { ...listen, address: address ?? listen.host })), rereadTokens };
}

/** Serves `app` at `http.probes`, to everyone. Rejects with `port_taken` or `listen_failed`. */
export async function startProbes(app: Hono, at: HostPort): Promise<HttpServer> {
  const address = await addressOf("http.probes", at);
  return listenOnTcp(
    createListener(app, () => undefined),
    "http.probes",
    { ...at, address },
  );
}

function listenedHost({ listen }: HttpConfig): string | undefined {
  return "path" in listen ? undefined : listen.host;
}

/**
 * The IP address to listen on. A name is resolved once, so the address that was checked is the one that is bound. Rejects with
 * `listen_failed`.
 */
export async function addressOf(setting: string, { host, port }: HostPort): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw listenError(setting, { host, port }, error);
  }
}

async function listenOnTcp(server: Server, setting: string, at: HostPort & { readonly address: string }): Promise<HttpServer> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(setting, at, error)));
    server.listen(at.port, at.address, resolve);
  });
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : at.port;
  return running(server, { url: `http://${httpAddressText({ host: at.host, port })}`, bound: { host: at.address, port } });
}

function running(
  server: Server,
  where: Pick<HttpServer, "url" | "bound">,
  cleanUp: () => Promise<void> = () => Promise.resolve(),
): HttpServer {
  return {
    ...where,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await cleanUp();
    },
  };
}

function listenError(setting: string, at: HostPort, error: unknown): PartnerdError {
  const isMain = setting === "http.listen";
  const where = `${isMain ? "http" : setting} ${httpAddressText(at)}`;
  const choose = isMain ? "choose another address with --http HOST:PORT" : `set another address in ${setting}`;
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return new PartnerdError("port_taken", `${where} is in use by another process`, {
      nextStep: `stop that process, or ${choose}`,
      cause: error,
    });
  }
  return new PartnerdError("listen_failed", `cannot listen on ${where}: ${messageOf(error)}`, { nextStep: choose, cause: error });
}
