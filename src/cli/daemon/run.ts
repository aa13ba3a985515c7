/** `oc-partnerd run`: the daemon in the foreground, until a signal ends it. */
import { Command } from "commander";
import { systemClock, systemRandom } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { collect, configOf, type DaemonFlags, type Env, example } from "../terminal/flags.ts";

/** A native sidecar may get no more than this after SIGTERM (DESIGN). */
const DRAIN_MS = 2_000;

export function runCommand(env: Env): Command {
  return new Command("run")
    .description("run the daemon until SIGTERM or SIGINT")
    .option("--config <file>", "read this file instead of ./partnerd.json and /etc/oc/partnerd.json")
    .option("--data <dir>", "directory of the database and the identity key")
    .option("--nats <url>", "NATS server; without one: 127.0.0.1:4222, else a private one is started")
    .option("--listen <multiaddr>", "listen here for partners (repeatable)", collect)
    .option("--http <host:port>", "serve health, metrics and the API here")
    .option("--name <name>", "name of this participant")
    .option("--did <did>", "DID of this participant")
    .option("--inbound <rule>", "whose streams are accepted: unless-revoked or partners")
    .addHelpText(
      "after",
      example(
        "oc-partnerd run --data /var/lib/oc-partnerd --nats nats://127.0.0.1:4222 --name lyon-1",
        "OCPARTNERD_P2P_INBOUND=partners oc-partnerd run --config /etc/oc/partnerd.json",
        "OCPARTNERD_LOG_LEVEL=debug oc-partnerd run   # every setting has a variable: the README's table",
      ),
    )
    .action((flags: DaemonFlags) => runDaemon(configOf(flags, env), env));
}

/** Resolves when the daemon has ended after a first SIGTERM or SIGINT. A second one, or a drain that takes too long, ends the process at once. */
async function runDaemon(config: Config, env: Env): Promise<void> {
  const { createLogger } = await import("../../base/log.ts");
  const { startDaemon } = await import("../../daemon/daemon.ts");
  const logger = createLogger(config.log);
  using _rejections = logStrayRejections(process, logger);
  const ended = Promise.withResolvers<NodeJS.Signals>();
  const first = (signal: NodeJS.Signals) => ended.resolve(signal);
  process.once("SIGTERM", first).once("SIGINT", first);
  const atOnce = (code: number) => process.exit(code);
  const starting = startDaemon(config, { clock: systemClock, random: systemRandom, logger, env });
  const daemon = await Promise.race([starting, ended.promise]);
  if (typeof daemon === "string") {
    // There is no stream to close yet, and what is in the log may stay as after a crash.
    logger.info({ signal: daemon }, "ended while it was starting");
    return atOnce(0);
  }
  const signal = await ended.promise;
  logger.info({ signal, drainMs: DRAIN_MS }, "ending; a second signal ends at once");
  process.once("SIGTERM", () => atOnce(0)).once("SIGINT", () => atOnce(0));
  using _deadline = systemClock.schedule(DRAIN_MS, () => {
    logger.warn({ drainMs: DRAIN_MS }, "the drain took too long");
    atOnce(0);
  });
  await daemon[Symbol.asyncDispose]();
  logger.info({}, "ended");
  // What a library may still hold open must not keep the process; everything of ours is closed.
  atOnce(0);
}

type Rejections = Pick<NodeJS.EventEmitter, "on" | "off">;

/**
 * Logs each unhandled promise rejection, with its stack, until disposed. A promise that a library fails to handle must not end the
 * daemon, and must not go unnoticed either.
 */
export function logStrayRejections(process: Rejections, logger: Pick<Logger, "error">): Disposable {
  const log = (reason: unknown) => {
    const stack = reason instanceof Error ? reason.stack : undefined;
    logger.error(
      { error: messageOf(reason), stack },
      "a promise failed that nobody waited for; this is a bug, and the daemon goes on",
    );
  };
  process.on("unhandledRejection", log);
  return { [Symbol.dispose]: () => void process.off("unhandledRejection", log) };
}
