/** The store of the daemon, which never waits long for a lock of another process, because a wait blocks the event loop. */
import { join } from "node:path";
import { isFault, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { headFileIn, readHeadFile } from "../../store/head/head-file.ts";
import { DAEMON_LOCK } from "../../store/sql/lock.ts";
import { openStore, type Store } from "../../store/store.ts";
import { type Retrying, retriedWhileLocked } from "./while-locked.ts";

/** Of each second. Longer locks are waited for between turns of the event loop. */
const LOCK_WAIT_MS = 50;

interface OpenInit extends Retrying {
  /** The data directory. */
  readonly directory: string;
  readonly logger: Logger;
  readonly owner: AsyncDisposableStack;
}

/** Opens the store, for at most 5 s if another process holds the lock that this needs. Rejects with what openStore throws. */
export async function openOwnStore({ directory, clock, logger, signal, owner }: OpenInit): Promise<Store> {
  const needed = [{ path: join(directory, DAEMON_LOCK.name), ifLost: "restart the daemon" }];
  const headFile = headFileIn(directory);
  const { kind } = readHeadFile(headFile);
  const store = await retriedWhileLocked(
    () => {
      const store = openStore({ directory, clock, needed, busyTimeoutMs: LOCK_WAIT_MS });
      return owner.adopt(store, (opened) => close(opened, logger));
    },
    { clock, signal },
  );
  const { seq } = store.head();
  if (kind === "none" && seq > 0)
    logger.warn(
      { headFile, seq, nextStep: "if nothing explains it, run `oc-partnerd check` with a head that another machine keeps" },
      "head file of the event log was missing or empty: this start cannot tell whether the log was truncated",
    );
  return store;
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
