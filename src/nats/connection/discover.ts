/** Checks that an address has a NATS server: each one greets a new connection with an INFO line. */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContextOptions } from "node:tls";
import { type Clock, deadline } from "../../base/clock.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { hostAndPort, type ServerAddress } from "./server-address.ts";

const GREETING = "INFO ";

type GreetingFailure = "silent" | "not_nats" | "closed" | "unresolved" | "refused" | "unreachable" | "tls" | "not_tls";

type HostAndPort = Pick<ServerAddress, "host" | "port" | "address">;

/**
 * Resolves once the server has greeted, inside TLS if `tls` is given; rejects with nats_unavailable if it does not within
 * `timeoutMs`, or with the reason of `signal`. The socket is closed by then. (The client leaks its socket if a server accepts and then
 * stays silent.)
 */
export async function expectGreeting(
  server: HostAndPort,
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
  tls?: SecureContextOptions,
): Promise<void> {
  const unavailable = (reason: GreetingFailure, why: string, cause?: unknown) =>
    new PartnerdError("nats_unavailable", `NATS at ${hostAndPort(server)}: ${why}`, {
      nextStep: NEXT_STEPS[reason],
      cause,
      details: { server: hostAndPort(server), reason },
    });
  using limit = deadline(clock, timeoutMs, () => unavailable("silent", `no greeting within ${timeoutMs} ms`), signal);
  limit.signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    let greeting = "";
    const socket = open(server, tls);
    const onAbort = () => finish(() => reject(limit.signal.reason));
    const finish = (settle: () => void) => {
      limit.signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    limit.signal.addEventListener("abort", onAbort, { once: true });
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      greeting += chunk;
      if (greeting.startsWith(GREETING)) finish(resolve);
      else if (!GREETING.startsWith(greeting)) finish(() => reject(unavailable("not_nats", "the server there is not NATS")));
    });
    socket.on("end", () => finish(() => reject(unavailable("closed", "the connection was closed before a greeting"))));
    socket.on("error", (error) =>
      finish(() => {
        const reason = failureOf(error, tls !== undefined);
        const why = socketErrorOf(error);
        reject(
          unavailable(reason, reason === "tls" ? `TLS failed, and nothing there has greeted as NATS does: ${why}` : why, error),
        );
      }),
    );
  });
}

const NEXT_STEPS: Readonly<Record<GreetingFailure, string>> = {
  silent: "check that the address in nats.url is that of a NATS server, and that the server is not overloaded",
  not_nats: "another program listens there: correct nats.url",
  closed: "check the log of the NATS server; if a proxy is in front of it, check that the proxy reaches it",
  unresolved: "correct the host name in nats.url, or make the resolver know it",
  refused: "start the NATS server, or correct nats.url",
  unreachable: "check the network and the firewall between here and the NATS server, or correct nats.url",
  tls: "if another program listens there, set nats.url to a NATS server; otherwise check nats.tls and the server's certificate (the server's log names certificates that it refuses)",
  not_tls: "set nats.tls.handshakeFirst to auto: this server greets before the TLS handshake",
};

/** A name is sent to the server, as SNI; an address cannot be. */
function open({ host, port, address = host }: HostAndPort, tls: SecureContextOptions | undefined): Socket {
  if (tls === undefined) return connect({ host: address, port });
  return connectTls({ ...tls, host: address, port, ...(isIP(host) === 0 && { servername: host }) });
}

const UNREACHABLE: ReadonlySet<string> = new Set(["EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EADDRNOTAVAIL", "EHOSTDOWN"]);

function failureOf(error: Error, isTls: boolean): GreetingFailure {
  const code = causeCodeOf(error);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "unresolved";
  if (code === "ECONNREFUSED") return "refused";
  if (UNREACHABLE.has(code)) return "unreachable";
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG") return "not_tls";
  return isTls && code !== "ECONNRESET" ? "tls" : "closed";
}

/** A name with several addresses fails with one error for each and an empty message of its own. */
function causeCodeOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first instanceof Error && "code" in first && typeof first.code === "string" ? first.code : "";
}

function socketErrorOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(", ") : messageOf(error);
}
