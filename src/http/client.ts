/** Client for a running daemon's HTTP API, used by the commands. */

import { messageOf, PartnerdError } from "../base/errors.ts";
import type { HostPort } from "../config/schema.ts";
import type { DeliveryView, HealthView, PeerDetailView, PeersView, SelfView } from "../views/api.ts";

export const ANSWER_TIMEOUT_MS = 5_000;

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

export function daemonClient({ host, port }: HostPort): DaemonClient {
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    self: async () => (await get(url, "/v1/self")).body as SelfView,
    peers: async () => (await get(url, "/v1/peers")).body as PeersView,
    readiness: async () => (await get(url, "/readyz")).body as HealthView,
    delivery: async () => (await get(url, "/v1/delivery")).body as DeliveryView,
    async resync() {
      const { status, body } = await get(url, "/v1/resync", "POST");
      if (status === 202) return;
      throw new PartnerdError("stream_missing", (body as { error: { message: string } }).error.message, {
        nextStep: "run `oc-partnerd status` to see how events are delivered, or `oc-partnerd setup` to create a stream",
      });
    },
    async peer(peerId) {
      const { status, body } = await get(url, `/v1/peers/${encodeURIComponent(peerId)}`);
      if (status === 404) return undefined;
      if (status === 200) return body as PeerDetailView;
      throw new PartnerdError("usage", (body as { error: { message: string } }).error.message, {
        nextStep: "run `oc-partnerd peers --json` to list full PeerIDs",
      });
    },
  };
}

async function get(url: string, path: string, method = "GET"): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(url + path, { method, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return { status: response.status, body: await response.json() };
  } catch (error) {
    const why = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
    throw new PartnerdError("daemon_unreachable", `no oc-partnerd answers at ${url}: ${why}`, {
      nextStep: "start it with `oc-partnerd run`, or name its HTTP address with --http HOST:PORT",
      cause: error,
    });
  }
}
