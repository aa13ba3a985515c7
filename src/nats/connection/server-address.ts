/** NATS server URLs, parsed once. The user info is removed here, so nothing that is shown or logged later contains a secret. */

import type { Random } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";

/** `user` and `token` are exclusive: a lone name before the `@` is a token, as in every NATS client. */
type UrlCredentials =
  | { readonly kind: "none" }
  | { readonly kind: "user"; readonly user: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string };

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** Whether the URL requires TLS (`tls://`). */
  readonly tls: boolean;
  readonly credentials: UrlCredentials;
}

const DEFAULT_PORT = 4222;

/** The servers in `nats.url`, in order. Throws config_invalid for the first unusable one. */
export function parseServers(servers: readonly string[]): readonly ServerAddress[] {
  const parsed = servers.flatMap((list) =>
    list
      .split(",")
      .map((url) => url.trim())
      .filter((url) => url !== "")
      // A comma in a password splits it too, so a piece without @ may be half a secret.
      .map((url) => parseServer(url, list.includes("@") && !url.includes("@") ? "***" : withoutUserInfo(url))),
  );
  if (parsed.length === 0) {
    throw new PartnerdError("config_invalid", "nats.url names no server", {
      nextStep: "Name a server, such as nats://127.0.0.1:4222.",
    });
  }
  return parsed;
}

/** One server URL. Throws config_invalid, showing it as `shown`. */
export function parseServer(text: string, shown: string = withoutUserInfo(text)): ServerAddress {
  const invalid = (why: string) =>
    new PartnerdError("config_invalid", `nats.url: "${shown}" ${why}`, {
      nextStep: "Write nats://host:4222 (or tls://host:4222); percent-encode special characters in a user name or password.",
    });
  let url: URL;
  try {
    url = new URL(text.includes("://") ? text : `nats://${text}`);
  } catch {
    throw invalid("is not a server URL");
  }
  if (url.protocol !== "nats:" && url.protocol !== "tls:")
    throw invalid(`has the scheme ${url.protocol}//; nats:// and tls:// are supported`);
  if (url.hostname === "") throw invalid("names no host");
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "") {
    throw invalid("has text after the port");
  }
  if (url.port === "0") throw invalid("has port 0");
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    tls: url.protocol === "tls:",
    credentials: credentialsOf(url, invalid),
  };
}

/** `host:port`, with brackets around an IPv6 host, for status, errors and logs. */
export function hostAndPort(server: { readonly host: string; readonly port: number }): string {
  return server.host.includes(":") ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}

function credentialsOf(url: URL, invalid: (why: string) => PartnerdError): UrlCredentials {
  const decode = (text: string) => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw invalid("has user info with a broken percent-encoding");
    }
  };
  if (url.username === "" && url.password === "") return { kind: "none" };
  if (url.password === "") return { kind: "token", token: decode(url.username) };
  return { kind: "user", user: decode(url.username), password: decode(url.password) };
}

/** Also for text that is not a URL: everything up to the last `@` may be a secret. */
function withoutUserInfo(text: string): string {
  const at = text.lastIndexOf("@");
  if (at === -1) return text;
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? "";
  return `${scheme}***@${text.slice(at + 1)}`;
}

/** Most cluster members that are remembered. */
const MAX_LEARNED_SERVERS = 64;

/** The servers to connect to: the configured ones, and the other members of their cluster. */
export class KnownServers {
  readonly #configured: readonly ServerAddress[];
  #learned: readonly ServerAddress[] = [];

  /** Throws config_invalid for an unusable URL. */
  constructor(urls: readonly string[]) {
    this.#configured = parseServers(urls);
  }

  /** Every known server once, in random order. */
  shuffled(random: Random): readonly ServerAddress[] {
    const known = new Map([...this.#learned, ...this.#configured].map((server) => [hostAndPort(server), server]));
    return [...known.values()]
      .map((server) => ({ server, order: random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ server }) => server);
  }

  /** Learned members use the user info and TLS of the first configured server, since a cluster shares its accounts. */
  learn(urls: readonly string[] | undefined): void {
    const [first] = this.#configured;
    if (urls === undefined || first === undefined) return;
    this.#learned = urls.slice(0, MAX_LEARNED_SERVERS).flatMap((url) => {
      try {
        const { host, port } = parseServer(url);
        return [{ ...first, host, port }];
      } catch {
        return []; // An invalid address from a server is ignored; the configured servers remain.
      }
    });
  }
}
