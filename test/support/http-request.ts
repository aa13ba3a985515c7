/** HTTP as no browser and no fetch would send it: any Host, any Origin, over TCP or a Unix socket, or just bytes. */
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { startDeadline } from "./pace/pace.ts";

const TIMEOUT_MS = 10_000;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The code of the error in `body`, if it is one. */
  readonly code: string | undefined;
}

interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `place` is a base URL, or `unix:PATH`. */
export async function httpRequest(place: string, path: string, options: RequestOptions = {}): Promise<HttpAnswer> {
  using limit = startDeadline(TIMEOUT_MS, `${place}${path} did not answer`);
  const { method = "GET", headers = {}, body } = options;
  const socketPath = /^unix:(.*)$/.exec(place)?.[1];
  const { hostname, port } = new URL(socketPath === undefined ? place : "http://localhost");
  const at = socketPath === undefined ? { host: hostname.replace(/^\[(.*)\]$/, "$1"), port } : { socketPath };
  return await new Promise((resolve, reject) => {
    const sent = request({ ...at, path, method, headers, agent: false, signal: limit.signal }, (response) => {
      text(response).then((answered) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: answered, code: codeIn(answered) });
      }, reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function codeIn(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { readonly error?: { readonly code: string } }).error?.code;
  } catch {
    return undefined;
  }
}

/** Sends `bytes` to the host and port of `url`, and resolves with everything that comes back until the connection ends. */
export async function rawExchange(url: string, bytes: string): Promise<string> {
  using limit = startDeadline(TIMEOUT_MS, "the connection was not closed");
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), signal: limit.signal });
  socket.write(bytes);
  return await text(socket);
}
