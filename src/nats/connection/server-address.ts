/** NATS server URLs, parsed once. Credentials are removed here, so nothing that is shown or logged later contains one. */

import { PartnerdError } from "../../base/errors.ts";
import { isTokenAsHost, shownWord } from "../../base/secrets/shown.ts";
import { Secret } from "../../base/setting-file.ts";

/** `user` and `token` are exclusive: a lone name before the `@` is a token, as in every NATS client. */
type UrlCredentials =
  | { readonly kind: "none" }
  | { readonly kind: "user"; readonly user: string; readonly password: Secret }
  | { readonly kind: "token"; readonly token: Secret };

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** The one to dial of several IP addresses of `host`; default: any. */
  readonly address?: string;
  /** Whether the URL requires TLS (`tls://`). */
  readonly tls: boolean;
  readonly credentials: UrlCredentials;
}

const DEFAULT_PORT = 4222;

/** The servers of a setting such as `nats.url`, in order. Converted to text or JSON, they have no credentials. */
export class NatsUrl {
  readonly servers: readonly ServerAddress[];

  constructor(servers: readonly ServerAddress[]) {
    this.servers = servers;
  }

  toString(): string {
    return this.servers
      .map(
        (server) => `${server.tls ? "tls" : "nats"}://${server.credentials.kind === "none" ? "" : "***@"}${hostAndPort(server)}`,
      )
      .join(",");
  }

  toJSON(): string {
    return this.toString();
  }
}

const URL_NEXT_STEP =
  "write nats://host:4222 (or tls://host:4222), with commas between several; percent-encode special characters in a user name or password";

/** The servers in `text`, which is the value of `setting`. Throws config_invalid for the first unusable one, without a secret. */
export function parseNatsUrl(text: string, setting = "nats.url"): NatsUrl {
  const parsed = natsUrlIn(text);
  if (parsed instanceof NatsUrl) return parsed;
  throw new PartnerdError("config_invalid", `${setting} ${parsed.problem}`, { nextStep: URL_NEXT_STEP });
}

/** The servers in `text`, or why it is unusable, as a predicate without a secret: `has a server …`. */
export function natsUrlIn(text: string): NatsUrl | { readonly problem: string } {
  const urls = text
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  if (urls.length === 0) return { problem: "names no server" };
  // A comma in a password would split it, and the pieces would pass for a host and a token.
  if (urls.slice(1).some((url) => url.includes("@") && !url.includes("://"))) {
    return {
      problem: 'has a comma that may be part of a password: write it as %2C, or begin each server with "nats://" or "tls://"',
    };
  }
  const servers: ServerAddress[] = [];
  for (const url of urls) {
    const server = serverIn(url);
    if ("problem" in server) return { problem: `has the server "${shownUrl(url)}", which ${server.problem}` };
    // Looked up as a host, it would be in the DNS query and in every message about the connection.
    if (!HOST_AND_PORT.test(url) && isTokenAsHost(server.host))
      return {
        problem:
          "has a server that looks like a token without a host; write the token, an @ and the host; if it is a host name, add its port",
      };
    servers.push(server);
  }
  return new NatsUrl(servers);
}

/** One server, or why `text` is none. */
export function serverIn(text: string): ServerAddress | { readonly problem: string } {
  const url = URL.parse(text.includes("://") ? text : `nats://${text}`);
  if (url === null) return { problem: "is not a server URL" };
  if (url.protocol !== "nats:" && url.protocol !== "tls:")
    return { problem: `has the scheme ${url.protocol}//; nats:// and tls:// are supported` };
  if (url.hostname === "") return { problem: "names no host" };
  if (!HOST.test(url.hostname))
    return { problem: "has characters that a host name cannot have; credentials belong before the host, with an @ between them" };
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "")
    return { problem: "has text after the port; a token belongs before the host, with an @ between them" };
  if (url.port === "0") return { problem: "has port 0" };
  const credentials = credentialsOf(url);
  if (credentials === undefined) return { problem: "has user info with a broken percent-encoding" };
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    tls: url.protocol === "tls:",
    credentials,
  };
}

/** `host:port`, with brackets around an IPv6 host, for status, errors and logs. */
export function hostAndPort(server: { readonly host: string; readonly port: number }): string {
  return server.host.includes(":") ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}

function credentialsOf({ username, password }: URL): UrlCredentials | undefined {
  try {
    if (username === "" && password === "") return { kind: "none" };
    const name = decodeURIComponent(username);
    if (password === "") return { kind: "token", token: new Secret(name) };
    return { kind: "user", user: name, password: new Secret(decodeURIComponent(password)) };
  } catch {
    return undefined;
  }
}

/** A name, an IPv4 address, or an IPv6 address in brackets. Underscores are not allowed in names, but used. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])$/i;
const HOST_AND_PORT = /:\d+\/?$/;
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** An unusable URL, for a message: as it is if it is a host and a port at most, since any other part may be a secret. */
function shownUrl(text: string): string {
  if (/^([a-z][a-z0-9+.-]*:\/\/)?[\w.-]*(:\d{1,5})?\/?$/i.test(text)) return shownWord(text);
  return `${SCHEME.exec(text)?.[0] ?? ""}***`;
}
