/** The `nats` section of the configuration, typed. */
import type { Secret } from "../../base/setting-file.ts";
import type { ServerAddress } from "./server-address.ts";

export interface NatsTlsConfig {
  /** PEM file with the certificate authorities to trust instead of the system's. */
  readonly caFile?: string | undefined;
  /** PEM files with our certificate and its key, for servers that verify clients. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** Whether the TLS handshake precedes the server's greeting; default `auto`: finds out, at the cost of half a second. */
  readonly handshakeFirst?: "auto" | "yes" | "no" | undefined;
}

/** At most one way to authenticate; if none is set, the user info of the server's URL is used. */
export interface NatsConfig {
  readonly servers: readonly ServerAddress[];
  /** File with the URLs of the servers, instead of `servers`. Read again before every round of attempts. */
  readonly urlFile?: string | undefined;
  /** The client name shown to the server's operator. */
  readonly name: string;
  readonly user?: string | undefined;
  readonly password?: Secret | undefined;
  readonly token?: Secret | undefined;
  /** Files with these values, each instead of the value. Read again at every connection, so they can be rotated. */
  readonly userFile?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** File with a JWT and an nkey seed, as `nsc` writes it. Read again at every connection, so it can be rotated. */
  readonly credsFile?: string | undefined;
  /** File with an nkey user seed (`SU…`). Read again at every connection. */
  readonly nkeyFile?: string | undefined;
  readonly tls?: NatsTlsConfig | undefined;
}
