/** Promises that a library let go of: their failure must not end the daemon, and must not pass unseen either. */
import { messageOf } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";

type Rejections = Pick<NodeJS.EventEmitter, "on" | "off">;

/** Logs each rejection that nobody waits for, with its stack, instead of ending the process; until disposed. */
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
