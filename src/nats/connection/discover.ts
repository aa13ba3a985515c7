/** Checks that an address has a NATS server: each one greets a new connection with an INFO line. */
import { connect } from "node:net";
import { type Clock, deadline, systemClock } from "../../base/clock.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { hostAndPort } from "./server-address.ts";

const GREETING = "INFO ";

type GreetingFailure = "silent" | "not_nats" | "closed" | "unreachable";

/** Whether a NATS server greets at `host`:`port` within `timeoutMs`. */
export function natsAnswers(host: string, port: number, timeoutMs: number, clock: Clock = systemClock): Promise<boolean> {
  return expectGreeting({ host, port }, timeoutMs, clock).then(
    () => true,
    () => false,
  );
}

/**
 * Resolves once the server has greeted; rejects with nats_unavailable if it does not within `timeoutMs`, or with the reason of
 * `signal`. The socket is closed by then. (The client leaks its socket if a server accepts and then stays silent.)
 */
export async function expectGreeting(
  server: { readonly host: string; readonly port: number },
  timeoutMs: number,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const unavailable = (reason: GreetingFailure, why: string, cause?: unknown) =>
    new PartnerdError("nats_unavailable", `NATS at ${hostAndPort(server)}: ${why}`, {
      nextStep: "start the NATS server, or correct nats.url",
      cause,
      details: { server: hostAndPort(server), reason },
    });
  using limit = deadline(clock, timeoutMs, () => unavailable("silent", `no greeting within ${timeoutMs} ms`), signal);
  limit.signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    let greeting = "";
    const socket = connect({ host: server.host, port: server.port });
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
    socket.on("error", (error) => finish(() => reject(unavailable("unreachable", socketErrorOf(error), error))));
  });
}

/** A name with several addresses fails with one error for each and an empty message of its own. */
function socketErrorOf(error: Error): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(", ") : messageOf(error);
}
