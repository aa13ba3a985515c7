/** The running daemon, for the commands that ask it. */
import type { Config } from "../../config/schema.ts";
import { type DaemonClient, daemonClient } from "../../http/client.ts";
import { readToken, type Scope } from "../../http/tokens.ts";

export const TOKEN_FLAG = ["--token-file <file>", "file with a token for the daemon (default: as in its configuration)"] as const;

export interface TokenFlag {
  readonly tokenFile?: string | undefined;
}

/**
 * A client with the token in `tokenFile`, or else with one of the configuration that allows `scope`, if it names any. Throws
 * config_invalid if the token cannot be read.
 */
export function clientOf({ http }: Config, { tokenFile }: TokenFlag, scope: Scope): DaemonClient {
  const files = [
    ["--token-file", tokenFile],
    ...(scope === "read" ? [["http.readTokenFile", http.readTokenFile] as const] : []),
    ["http.writeTokenFile", http.writeTokenFile],
    ["http.readTokenFile", http.readTokenFile],
  ] as const;
  const [setting = "", path] = files.find(([, file]) => file !== undefined) ?? [];
  return daemonClient(http.listen, path === undefined ? undefined : readToken(setting, path));
}
