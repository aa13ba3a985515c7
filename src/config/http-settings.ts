/** The settings of the HTTP API: where it listens, and who may use it. */
import { isIP } from "node:net";
import { posix } from "node:path";
import { z } from "zod";
import { isLoopbackAddress } from "../base/net/ip.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A Unix socket. */
interface SocketPath {
  readonly path: string;
}

export type HttpAddress = HostPort | SocketPath;

/** The kernel's limit is 107 bytes, and the socket is created in a subdirectory before it gets its name. */
const MAX_SOCKET_PATH_BYTES = 95;

/** Parses `HOST:PORT` or `[IPV6]:PORT`; undefined if invalid. Port 0 means any free port. */
export function parseHostPort(value: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/@[\]]+)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** Parses `HOST:PORT`, or `unix:/PATH` or `/PATH` for a Unix socket; undefined if invalid. */
export function parseHttpAddress(value: string): HttpAddress | undefined {
  const path = /^(?:unix:)?(\/[^\0]*[^/\0])$/.exec(value)?.[1];
  if (path === undefined) return parseHostPort(value);
  return Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES ? undefined : { path: posix.normalize(path) };
}

/** The address as it is written in the settings. */
export function httpAddressText(at: HttpAddress): string {
  if ("path" in at) return `unix:${at.path}`;
  return `${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`;
}

/** True if it means every interface of this machine. */
export function isWildcard({ host }: HostPort): boolean {
  return isIP(host) !== 0 && /^[0:.]+$/.test(host);
}

const isHost = (value: string) =>
  isIP(value.replace(/^\[(.*)\]$/, "$1")) !== 0 || /^[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?$/i.test(value);

const address = <Address extends HttpAddress>(parse: (value: string) => Address | undefined, expected: string) =>
  z.string().transform((value, context) => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: "custom", message: `is not ${expected}`, input: value });
    return z.NEVER;
  });

const tokenFile = (what: string) => z.string().min(1).optional().describe(what);

const settings = z
  .strictObject({
    listen: address(
      parseHttpAddress,
      `HOST:PORT; for example 127.0.0.1:4012, or a Unix socket (absolute path of at most ${MAX_SOCKET_PATH_BYTES} bytes), for example unix:/run/oc-partnerd/http.sock`,
    )
      .prefault("127.0.0.1:4012")
      .describe(
        "Where the JSON API, health and metrics are served: HOST:PORT, or unix:/PATH for a Unix socket with mode 0600. Off loopback it needs a token file.",
      ),
    probes: address(parseHostPort, "HOST:PORT; for example 0.0.0.0:4013")
      .optional()
      .describe("HOST:PORT of a second listener, for health and metrics only, without a token. For kubelet and Prometheus."),
    readTokenFile: tokenFile("File with the token that clients need to read the API."),
    writeTokenFile: tokenFile("File with the token that clients need to change anything; it also allows reading."),
    allowedHosts: z
      .array(
        z.string().refine(isHost, { error: "is not a host name or IP address; for example partnerd.example, without a port" }),
      )
      .default([])
      .describe("More names that clients may use for this daemon in the Host header, such as that of a proxy or a service."),
  })
  .refine(
    ({ listen, probes }) => probes === undefined || probes.port === 0 || httpAddressText(listen) !== httpAddressText(probes),
    {
      path: ["probes"],
      error: "is the address of http.listen; choose another port",
    },
  );

/** An address alone is short for `{ "listen": address }`. */
export const httpSchema = z
  .union([z.string(), z.looseObject({})], { error: "is not an address or an object" })
  .transform((value): unknown => withoutShorthand(value))
  .pipe(settings);

/** `value` with a lone address written in full. */
export function withoutShorthand(value: unknown): unknown {
  return typeof value === "string" ? { listen: value } : value;
}

export type HttpConfig = z.output<typeof httpSchema>;

/**
 * The reason why the API may not listen at `boundAddress`, an IP address; undefined if it may. `boundAddress` is undefined for a Unix
 * socket, and for a host name that is not resolved yet.
 */
export function exposureProblem(http: HttpConfig, boundAddress: string | undefined): string | undefined {
  if (boundAddress === undefined || isLoopbackAddress(boundAddress)) return undefined;
  if (http.readTokenFile !== undefined || http.writeTokenFile !== undefined) return undefined;
  return (
    "can be reached from other machines, so the API needs a token: set http.readTokenFile and http.writeTokenFile, " +
    "or listen on loopback, for example 127.0.0.1:4012, or on a Unix socket, for example unix:/run/oc-partnerd/http.sock " +
    "(for health and metrics alone, http.probes needs no token)"
  );
}

/** The IP address in `at`; undefined for a name or a Unix socket. */
export function literalAddress(at: HttpAddress): string | undefined {
  return "host" in at && isIP(at.host) !== 0 ? at.host : undefined;
}
