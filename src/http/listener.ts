/** A node:http server with bounds, which refuses what it is told to before the app sees it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { AccessRefusal, RequestFacts } from "./access.ts";
import { problem, SECURITY_HEADERS } from "./answers.ts";
import { HttpConnections } from "./connections.ts";

/** Beyond it, a connection yields to each new one. */
const MAX_CONNECTIONS = 256;
/** A client that sends nothing, or sends slowly, keeps its connection no longer than this. */
const HEADERS_TIMEOUT_MS = 10_000;

const BOUNDS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: 15_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1_024,
  // The access rules refuse a request without Host, with our headers and a reason.
  requireHostHeader: false,
};
/** Of a connection on which nothing is received or sent; ends a client that does not read its answer. */
const IDLE_TIMEOUT_MS = 30_000;
const MAX_HEADERS = 100;
const MAX_BODY_BYTES = 64 * 1_024;

/** Not listening yet. `refusalFor` decides about each request. */
export function createListener(app: Hono, refusalFor: (facts: RequestFacts) => AccessRefusal | undefined): Server {
  const toApp = getRequestListener(withBodyLimit(app).fetch, {
    hostname: "localhost",
    errorHandler: () => Response.json(problem("request_invalid", "not a valid request target"), { status: 400 }),
  });
  const connections = new HttpConnections(MAX_CONNECTIONS);
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (!connections.began(request, response)) {
      request.socket.destroy();
      return;
    }
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const refusal = refusalFor(factsOf(request));
    if (refusal !== undefined) {
      refuse(response, refusal);
      return;
    }
    // The app does not need it, and the library refuses some names that the access rules accept.
    delete request.headers.host;
    void toApp(request, response);
  };
  const server = createServer(BOUNDS, serve);
  server.maxHeadersCount = MAX_HEADERS;
  server.timeout = IDLE_TIMEOUT_MS;
  server.on("connection", (socket) => connections.add(socket));
  server.on("checkExpectation", serve);
  server.on("clientError", answerClientError);
  return server;
}

function withBodyLimit(app: Hono): Hono {
  const tooLarge = problem("body_too_large", `a body may have at most ${MAX_BODY_BYTES} bytes`);
  const limited = new Hono();
  limited.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => c.json(tooLarge, 413) }));
  limited.all("*", (c) => app.fetch(c.req.raw));
  // Only reading the body can fail here: the app handles its own errors.
  limited.onError((_error, c) => c.json(problem("request_invalid", "the body could not be read"), 400));
  return limited;
}

function factsOf({ method = "", url = "", headers, headersDistinct, socket }: IncomingMessage): RequestFacts {
  return {
    method,
    target: url,
    localAddress: socket.localAddress,
    // `headers` would have only the first of several.
    host: headersDistinct["host"]?.join(),
    origin: headers.origin,
    fetchSite: headers["sec-fetch-site"] as string | undefined,
    authorization: headers.authorization,
  };
}

/** Closes the connection too, so a body is not read. */
function refuse(response: ServerResponse, { status, code, message, challenge }: AccessRefusal): void {
  if (challenge !== undefined) response.setHeader("WWW-Authenticate", challenge);
  response.writeHead(status, { "Content-Type": "application/json", Connection: "close" });
  response.end(JSON.stringify(problem(code, message)));
}

/** The status for an error of the parser, by its code; any other is 400. */
const STATUS_OF_ERROR: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Without our own answer, Node would send one without the security headers. Nothing is added to an earlier answer. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex & { readonly bytesWritten?: number }): void {
  if (!socket.writable || socket.bytesWritten !== 0) {
    socket.destroy();
    return;
  }
  const status = STATUS_OF_ERROR[error.code ?? ""] ?? 400;
  const body = JSON.stringify(problem("request_invalid", `${STATUS_CODES[status]}`));
  const headers = { ...SECURITY_HEADERS, "Content-Type": "application/json", "Content-Length": body.length, Connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`, () => socket.destroy());
}
