/** The store of the daemon, which never waits long for a lock of another process, because a wait blocks the event loop. */
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { isFault, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import { DAEMON_LOCK } from "../../store/sql/lock.ts";
import { openStore, type Store } from "../../store/store.ts";

/** Of each second. Longer locks are waited for between turns of the event loop. */
const LOCK_WAIT_MS = 50;
const OPEN_WITHIN_MS = 5_000;
const OPEN_AGAIN_MS = 50;

interface OpenInit {
  /** The data directory. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Stops the waiting, which then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly owner: AsyncDisposableStack;
}

/** Opens the store, for at most 5 s if another process holds the lock that this needs. Rejects with what openStore throws. */
export async function openOwnStore({ directory, clock, logger, signal, owner }: OpenInit): Promise<Store> {
  const untilMs = clock.monotonicMs() + OPEN_WITHIN_MS;
  for (;;) {
    try {
      const needed = [{ path: join(directory, DAEMON_LOCK.name), ifLost: "restart the daemon" }];
      const store = openStore({ directory, clock, needed, busyTimeoutMs: LOCK_WAIT_MS });
      return owner.adopt(store, (opened) => close(opened, logger));
    } catch (thrown) {
      if (toPartnerdError(thrown).details.isPassing !== true || clock.monotonicMs() >= untilMs) throw thrown;
      await pause(clock, OPEN_AGAIN_MS, signal);
      signal.throwIfAborted();
    }
  }
}

/** A stop must not fail because the disk is full or the database locked: the log is sound without what could not be written. */
function close(store: Store, logger: Logger): void {
  try {
    store[Symbol.dispose]();
  } catch (thrown) {
    if (isFault(thrown)) throw thrown;
    logger.error(
      { error: toPartnerdError(thrown).text },
      "could not write the newest counts of repeated failures; they are lost",
    );
  }
}
