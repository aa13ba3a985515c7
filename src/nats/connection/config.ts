/** The `nats` section of the configuration, typed. */

export interface NatsTlsConfig {
  /** PEM file with the certificate authorities to trust instead of the system's. */
  readonly caFile?: string | undefined;
  /** PEM files with our certificate and its key, for servers that verify clients. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** At most one way to authenticate; if none is set, the user info of the server's URL is used. */
export interface NatsConfig {
  /** `nats://host:4222`, `tls://…`, or just `host:port`; user:password@ or token@ is allowed, and commas separate several. */
  readonly servers: readonly string[];
  /** The client name shown to the server's operator. */
  readonly name: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** File with a JWT and an nkey seed, as `nsc` writes it. Read again at every connection, so it can be rotated. */
  readonly credsFile?: string | undefined;
  /** File with an nkey user seed (`SU…`). Read again at every connection. */
  readonly nkeyFile?: string | undefined;
  readonly tls?: NatsTlsConfig | undefined;
}
