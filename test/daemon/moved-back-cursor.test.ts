/** Opens a log that a faulty version left: its cursor had moved back to a redelivered message, and reading never resumed. */
import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/config/load.ts";
import { openLog } from "../../src/daemon/open-log.ts";
import { Metrics } from "../../src/http/metrics.ts";
import { cursorRowOf } from "../../src/store/model/cursor.ts";
import { dedupeKeyOf, messageHash } from "../../src/store/model/dedupe-key.ts";
import type { Store } from "../../src/store/store.ts";
import { desired, received } from "../store/support/events.ts";
import { rawConnection, TemporaryStore } from "../store/support/temporary-store.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

const STREAM = { stream: "OC", created: "2026-01-01T00:00:00Z" };

/** As Ingest does for a message at this sequence. */
function take(store: Store, sequence: number) {
  const message = received(desired({ name: `message ${sequence}` }), { streamSequence: sequence });
  const ofMessage = messageHash(String(sequence), hash("sha256", message.payload, "hex"));
  const dedupeKey = dedupeKeyOf(STREAM, sequence, ofMessage);
  return store.appendReceived([{ ...message, dedupeKey }], { ...STREAM, sequence, messageHash: ofMessage });
}

test("a cursor that had moved back is put where the rows prove it to be, and reading resumes there", async () => {
  using temporary = new TemporaryStore();
  for (const sequence of [1, 2, 3]) take(temporary.store, sequence);
  temporary.store[Symbol.dispose]();
  {
    using raw = rawConnection(temporary.path);
    const { checksum } = cursorRowOf({ ...STREAM, firstSequence: 1, sequence: 1, messageHash: null });
    raw.database.prepare("update ingest_cursor set sequence = 1, message_hash = null, checksum = ?").run(checksum);
  }
  const logger = new RecordingLogger();
  await using owner = new AsyncDisposableStack();
  const { store } = await openLog(loadConfig({ flags: { data: temporary.directory }, env: {}, file: undefined, serves: true }), {
    clock: systemClock,
    random: systemRandom,
    logger,
    metrics: new Metrics(),
    signal: new AbortController().signal,
    owner,
    onObserved: () => {},
    onLogged: () => {},
  });
  expect(store.cursor()?.sequence).toBe(3);
  expect(logger.at("warn")).toContainEqual({
    level: "warn",
    fields: { stream: "OC", before: 1, sequence: 3 },
    message: "cursor was behind the rows of the log; moved it forward",
  });
  expect(take(store, 3)).toEqual(["duplicate"]);
  expect(take(store, 4)).toMatchObject([{ streamSequence: 4 }]);
});
