/** Client for a running daemon's HTTP API, used by the commands. */
import { request } from "node:http";
import { messageOf, PartnerdError } from "../base/errors.ts";
import { type HttpAddress, httpAddressText } from "../config/http-settings.ts";
import type { DeliveryView, HealthView, PeerDetailView, PeersView, SelfView } from "../views/api.ts";

export const ANSWER_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 256 * 1_024 * 1_024;

export interface DaemonClient {
  self(): Promise<SelfView>;
  peers(): Promise<PeersView>;
  /** Undefined if the daemon does not know the peer. */
  peer(peerId: string): Promise<PeerDetailView | undefined>;
  readiness(): Promise<HealthView>;
  delivery(): Promise<DeliveryView>;
  /** Rejects with `stream_missing` if the daemon does not read from a broker stream. */
  resync(): Promise<void>;
}

/** Sends `token` with each request. Every method rejects with `daemon_unreachable`, or with `daemon_denied` if the daemon refuses. */
export function daemonClient(at: HttpAddress, token?: string): DaemonClient {
  const get = (path: string, method = "GET") => answerOf({ at, token, path, method });
  return {
    self: async () => (await get("/v1/self")).body as SelfView,
    peers: async () => (await get("/v1/peers")).body as PeersView,
    readiness: async () => (await get("/readyz")).body as HealthView,
    delivery: async () => (await get("/v1/delivery")).body as DeliveryView,
    async resync() {
      const { status, body } = await get("/v1/resync", "POST");
      if (status === 202) return;
      throw new PartnerdError("stream_missing", messageIn(body), {
        nextStep: "run `oc-partnerd status` to see how events are delivered, or `oc-partnerd setup` to create a stream",
      });
    },
    async peer(peerId) {
      const { status, body } = await get(`/v1/peers/${encodeURIComponent(peerId)}`);
      if (status === 404) return undefined;
      if (status === 200) return body as PeerDetailView;
      throw new PartnerdError("usage", messageIn(body), {
        nextStep: "run `oc-partnerd peers --json` to list full PeerIDs",
      });
    },
  };
}

interface Query {
  readonly at: HttpAddress;
  readonly token: string | undefined;
  readonly path: string;
  readonly method: string;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const DENIALS: ReadonlySet<number> = new Set([401, 403, 421]);

async function answerOf(query: Query): Promise<Answer> {
  const url = "path" in query.at ? httpAddressText(query.at) : `http://${httpAddressText(query.at)}`;
  let answer: Answer;
  try {
    answer = await exchange(query);
  } catch (error) {
    throw new PartnerdError("daemon_unreachable", `no oc-partnerd answers at ${url}: ${messageOf(error)}`, {
      nextStep: "start it with `oc-partnerd run`, or name its HTTP address with --http HOST:PORT",
      cause: error,
    });
  }
  if (!DENIALS.has(answer.status)) return answer;
  throw new PartnerdError("daemon_denied", `the daemon at ${url} refuses the request: ${messageIn(answer.body)}`, {
    nextStep:
      answer.status === 421
        ? "use a name of the daemon with --http, or add this one to its http.allowedHosts"
        : `give the daemon's token with --token-file FILE, or set ${query.method === "GET" ? "http.readTokenFile" : "http.writeTokenFile"} for this command too`,
  });
}

/** Rejects if there is no complete answer in JSON in time. */
function exchange({ at, token, path, method }: Query): Promise<Answer> {
  const place = "path" in at ? { socketPath: at.path } : { host: at.host, port: at.port };
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, path, method, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) response.destroy(new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown });
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
    sent.on("error", (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    sent.end();
  });
}

/** The message of an error answer; its JSON if it has none, as another program's may. */
function messageIn(body: unknown): string {
  const { error } = (body ?? {}) as { readonly error?: { readonly message?: unknown } };
  return typeof error?.message === "string" ? error.message : JSON.stringify(body);
}
