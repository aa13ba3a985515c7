/** `oc-partnerd run`: the daemon in the foreground, until a signal ends it. */
import { systemClock, systemRandom } from "../../base/clock.ts";
import { createLogger } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { startDaemon } from "../../daemon/daemon.ts";
import { logStrayRejections } from "./stray-rejections.ts";

/** A native sidecar may get no more than this after SIGTERM (DESIGN). */
const DRAIN_MS = 2_000;

/** Resolves when the daemon has ended after a first SIGTERM or SIGINT. A second one, or a drain that takes too long, ends the process at once. */
export async function run(config: Config, env: Readonly<Record<string, string | undefined>>): Promise<void> {
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
