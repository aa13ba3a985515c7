/** One name may stand for several NATS servers, of which some may be down: each of its addresses is tried on its own. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { abortable } from "../../base/pause.ts";
import type { ServerAddress } from "./server-address.ts";

/** Most addresses of one name that are tried in a round. */
const MAX_ADDRESSES = 16;

/** The addresses of a host name, as the system resolves it. */
export type ResolveName = (host: string) => Promise<readonly string[]>;

export const systemResolver: ResolveName = async (host) => {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
};

/**
 * `server` once for each address of its name. Itself alone if it has an address for a host, one address only, or a name that does not
 * resolve: dialling it then says why. Rejects with the reason of `signal`.
 */
export async function eachAddress(
  server: ServerAddress,
  resolve: ResolveName,
  signal: AbortSignal,
): Promise<readonly ServerAddress[]> {
  if (isIP(server.host) !== 0) return [server];
  const found = await abortable(resolve(server.host), signal).catch(() => []);
  signal.throwIfAborted();
  const addresses = [...new Set(found)].slice(0, MAX_ADDRESSES);
  return addresses.length < 2 ? [server] : addresses.map((address) => ({ ...server, address }));
}
