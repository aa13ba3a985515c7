/** check finds openings and closes of streams that do not match, as a program that loses rows would leave them. */

import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backUp } from "../../../src/store/recovery/backup.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { archiveBefore, findingsIn } from "../support/archiving.ts";
import { closed, observe, opened, start } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
  start(temporary.store);
});
afterEach(() => temporary[Symbol.dispose]());

const put = (...events: Parameters<typeof observe>[1][]) => {
  for (const event of events) observe(temporary.store, event);
};
const found = () => findingsIn(temporary.directory);

describe("check", () => {
  it("accepts both directions of two peers, a replaced stream, and those that a crash left open", () => {
    put(opened(PEER_A), opened(PEER_A, "inbound"), opened(PEER_B));
    put(closed(PEER_A, { reason: "replaced" }), opened(PEER_A), closed(PEER_B), opened(PEER_B));
    expect(found()).toEqual([]);
    start(temporary.reopen());
    put(opened(PEER_A));
    expect(found()).toEqual([]);
  });

  it("finds a lost close by the next opening in its slot, and each later close that ends the wrong session", () => {
    put(opened(PEER_A), opened(PEER_A), closed(PEER_A), opened(PEER_A), closed(PEER_A));
    expect(found()).toEqual([
      "event_log row 3: opens a stream, but the log has no close of the one that row 2 opened",
      "event_log row 4: closes the stream of row 2, but row 3 opened the one that is open",
      "event_log row 6: closes the stream of row 3, but row 5 opened the one that is open",
    ]);
  });

  it("finds a close without its opening", () => {
    put(opened(PEER_A), closed(PEER_A), closed(PEER_A));
    expect(found()).toEqual(["event_log row 4: closes a stream without naming its opening; none is open"]);
  });

  it("finds them after an archive, whose streams are still open", async () => {
    put(opened(PEER_A), opened(PEER_B));
    await archiveBefore(temporary.directory, 3);
    put(closed(PEER_B), opened(PEER_A));
    expect(found()).toEqual([expect.stringMatching(/: opens a stream, but the log has no close of the one that row 2 opened$/)]);
  });

  it("does not keep such a log from being backed up", async () => {
    put(opened(PEER_A), opened(PEER_A));
    const { events } = await backUp({
      from: temporary.directory,
      to: join(temporary.directory, "copy.db"),
      force: false,
      nowMs: 0,
    });
    expect(events).toBe(3);
  });
});
