/** `oc-partnerd run`: runs the daemon in the foreground until a signal stops it. */
import { Command } from "commander";
import { systemClock, systemRandom } from "../../base/clock.ts";
import { toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { configWarnings } from "../../config/warnings.ts";
import type { Daemon } from "../../daemon/daemon.ts";
import { catchSignals } from "../service/process-signals.ts";
import { startServiceLog } from "../service/service-log.ts";
import { CONFIG_FLAG, collect, configOf, type DaemonFlags, type Env, example } from "../terminal/flags.ts";

/** Kubernetes may kill a native sidecar two seconds after SIGTERM. */
const DRAIN_MS = 2_000;

export function runCommand(env: Env): Command {
  return new Command("run")
    .description("run the daemon until SIGTERM or SIGINT")
    .option(...CONFIG_FLAG)
    .option("--data <dir>", "directory for the database and the identity key (default: ./oc-partnerd-data)")
    .option("--identity-file <file>", "private key to use, which must exist (default: identity.key in the data directory)")
    .option("--nats <url>", "NATS server (default: nats://127.0.0.1:4222 if one runs there, else a private server)")
    .option("--listen <multiaddr>", "listen for partners here; repeatable (default: /ip4/0.0.0.0/tcp/4011)", collect)
    .option("--http <host:port>", "serve health, metrics and the API here, or at unix:/PATH (default: 127.0.0.1:4012)")
    .option("--name <name>", "name of this participant (default: the host name)")
    .option("--did <did>", "DID of this participant (default: its PeerID)")
    .option("--inbound <rule>", "accept streams from: unless-revoked or partners (default: unless-revoked)")
    .option("--log-level <level>", "log this level and above: debug, info, warn or error (default: info)")
    .addHelpText(
      "after",
      example(
        "oc-partnerd run --data /var/lib/oc-partnerd --nats nats://127.0.0.1:4222 --name lyon-1",
        "oc-partnerd run --config /etc/oc/partnerd.json --log-level debug",
        "OCPARTNERD_P2P_INBOUND=partners oc-partnerd run   # every setting has an environment variable",
      ),
    )
    .action((flags: DaemonFlags) => runDaemon(configOf(flags, env, { serves: true }), env));
}

/**
 * Resolves when the daemon has stopped after a signal. A second signal, or a drain longer than DRAIN_MS, exits at once. Rejects with a
 * failed start.
 */
async function runDaemon(config: Config, env: Env): Promise<void> {
  const signals = catchSignals();
  const { countingFaults } = await import("../../base/log.ts");
  const { startDaemon } = await import("../../daemon/daemon.ts");
  const { Metrics } = await import("../../http/metrics.ts");
  const metrics = new Metrics();
  await using log = await startServiceLog(config, env, (reason, lines) => metrics.serviceLogDropped.inc({ reason }, lines));
  const { logger } = log;
  for (const { facts, message } of configWarnings(config, env)) logger.warn(facts, message);
  const counting = countingFaults(logger, (part) => metrics.internalErrors.inc({ part }));
  using _rejections = reportStrayRejections(process, counting);
  signals.hold();
  const stopping = new AbortController();
  const starting = startDaemon(config, {
    clock: systemClock,
    random: systemRandom,
    logger,
    metrics,
    env,
    signal: stopping.signal,
  });
  signals.onReload(() => {
    log.reopen();
    void starting.then(
      (daemon) => rereadTokens(daemon, logger),
      () => {},
    );
  });
  // A failed start is reported at once.
  await Promise.race([starting, signals.stopping]);
  const signal = await signals.stopping;
  logger.info({ signal, drainMs: DRAIN_MS }, "stopping; send a second signal to exit immediately");
  using _deadline = systemClock.schedule(DRAIN_MS, () => {
    logger.warn({ drainMs: DRAIN_MS }, "drain timed out");
    process.exit(0);
  });
  stopping.abort();
  // While it starts, streams from others may be open, and the log may hold the start of the run: it stops like any other.
  const daemon = await starting.catch((thrown: unknown) => {
    if (thrown !== stopping.signal.reason) throw thrown;
  });
  await daemon?.[Symbol.asyncDispose]();
  logger.info({}, "stopped");
  await log.drain();
  // Everything of ours is closed, but a library may still hold a handle that would keep the process alive.
  process.exit(0);
}

function rereadTokens(daemon: Pick<Daemon, "rereadTokens">, logger: Logger): void {
  try {
    daemon.rereadTokens();
    logger.info({}, "token files read again");
  } catch (thrown) {
    const { code, text } = toPartnerdError(thrown);
    logger.warn({ code, error: text }, "cannot read the token files; still using the old tokens");
  }
}

type Rejections = Pick<NodeJS.EventEmitter, "on" | "off">;

/**
 * Reports every unhandled promise rejection as a fault, until disposed. A promise that a library fails to handle must not stop the
 * daemon, but must not go unnoticed.
 */
export function reportStrayRejections(process: Rejections, logger: Pick<Logger, "fault">): Disposable {
  const report = (reason: unknown) => logger.fault("process", reason, { cause: "unhandled promise rejection" });
  process.on("unhandledRejection", report);
  return { [Symbol.dispose]: () => void process.off("unhandledRejection", report) };
}
