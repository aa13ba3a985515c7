/** Server URLs as the NATS client takes them. */
import { parseNatsUrl, type ServerAddress } from "../../src/nats/connection/server-address.ts";

export const serversAt = (...urls: readonly string[]): readonly ServerAddress[] => parseNatsUrl(urls.join(",")).servers;
