/** The files that settings name: checked before the daemon creates or records anything, since a wrong one ends the start. */
import type { Config } from "../config/schema.ts";
import { loadIdentity } from "../identity/identity.ts";
import { checkCredentials, checkTls } from "../nats/connection/credentials.ts";
import { configuredServers } from "../nats/connection/known-servers.ts";
import { readSwarmKey } from "../p2p/host/swarm-key.ts";
import { natsConfig } from "./nats-source.ts";

/** Throws config_invalid, identity_invalid or identity_unsafe, naming setting and file, for the first file that cannot be used. */
export function checkSettingFiles(config: Config): void {
  if (config.identityFile !== undefined) loadIdentity(config);
  readSwarmKey(config.p2p.pskFile);
  const nats = natsConfig(config);
  configuredServers(nats);
  checkCredentials(nats);
  if (nats.tls !== undefined) checkTls(nats.tls);
}
