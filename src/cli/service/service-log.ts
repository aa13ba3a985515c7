/** The service log: lines of the daemon on standard output, which never make it wait. */
import { format } from "node:util";
import { systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type DropReason, LineOutput } from "../../base/output/line-output.ts";
import { StandardOutput } from "../../base/output/standard-output.ts";
import type { Config } from "../../config/schema.ts";
import type { Env } from "../terminal/flags.ts";
import { holdEventLoop } from "../terminal/hold-event-loop.ts";

/** How long a slow reader may take for the last lines: a part of the two seconds that a stop may take. */
const LAST_LINES_MS = 500;

/** Disposing it drains it. */
interface ServiceLog extends AsyncDisposable {
  readonly logger: Logger;
  /** Opens its file again, if it is a file: it may have been rotated. */
  reopen(): void;
  /** Resolves when all lines are written, or cannot be. */
  drain(): Promise<void>;
}

/** `onDropped` counts the lines that could not be written. */
export async function startServiceLog(
  config: Config,
  env: Env,
  onDropped: (reason: DropReason, lines: number) => void,
): Promise<ServiceLog> {
  const { createLogger, showsColours } = await import("../../base/log.ts");
  const standardOutput = new StandardOutput();
  const output = new LineOutput({
    write: (bytes, offset) => standardOutput.write(bytes, offset),
    clock: systemClock,
    onDropped,
    onRecovered: (lines) => logger.error({ lines }, "service log lines were dropped"),
  });
  const coloured = showsColours(process.stdout, env);
  const logger = createLogger({ ...config.log, coloured, write: (line) => output.write(line) });
  logConsole(logger);
  process.once("exit", () => output.flush());
  const drain = async () => {
    using _held = holdEventLoop();
    await output.drain(LAST_LINES_MS);
  };
  return {
    logger,
    reopen() {
      const { file } = standardOutput;
      if (file === undefined) return;
      try {
        standardOutput.reopen();
        logger.info({ file }, "reopened the service log");
      } catch (error) {
        logger.warn({ file, error: messageOf(error) }, "cannot reopen the service log; still writing to the old file");
      }
    },
    drain,
    [Symbol.asyncDispose]: drain,
  };
}

/** Most characters of a line that a library writes. */
const MAX_CONSOLE_CHARACTERS = 1_000;

/** Makes lines of the log of what libraries print, for example the NATS client when it cannot parse what the server sends. */
function logConsole(logger: Logger): void {
  const write = (...values: unknown[]) =>
    logger.warn({ text: format(...values).slice(0, MAX_CONSOLE_CHARACTERS) }, "a library wrote to the console");
  for (const method of ["log", "info", "warn", "error", "debug", "trace"] as const) console[method] = write;
}
