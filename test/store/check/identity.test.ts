/** check finds starts of the daemon under another identity than that of the log. */
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";
import { PEER_A, PEER_B, PEER_C } from "../../support/peers.ts";
import { archiveBefore, findingsIn } from "../support/archiving.ts";
import { append, desired, start } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
  startAs(PEER_A);
});
afterEach(() => temporary[Symbol.dispose]());

function startAs(peerId: PeerId): void {
  start(temporary.store, { peerId });
}
const change = (from: PeerId, to: PeerId) =>
  temporary.store.appendIdentityChanged({ type: "IdentityChanged", reason: "rotated", details: { from, to } });
const found = () => findingsIn(temporary.directory);

const OTHER_START = `event_log row 2: a start as ${PEER_B}, but the log belongs to ${PEER_A} since event_log row 1, and no IdentityChanged is between them`;

it("accepts starts under the log's identity, and under one that an IdentityChanged gave it", () => {
  startAs(PEER_A);
  change(PEER_A, PEER_B);
  startAs(PEER_B);
  change(PEER_B, PEER_A);
  startAs(PEER_A);
  expect(found()).toEqual([]);
});

it("finds a start under another identity, and the next one as well", () => {
  startAs(PEER_B);
  startAs(PEER_A);
  expect(found()).toEqual([
    OTHER_START,
    `event_log row 3: a start as ${PEER_A}, but the log belongs to ${PEER_B} since event_log row 2, and no IdentityChanged is between them`,
  ]);
});

it("finds a start under the identity from before a change", () => {
  change(PEER_A, PEER_B);
  startAs(PEER_A);
  expect(found()).toEqual([expect.stringMatching(`^event_log row 3: a start as ${PEER_A}, but .* since event_log row 2, `)]);
});

it("finds a change of another identity than the log's", () => {
  change(PEER_B, PEER_C);
  startAs(PEER_C);
  expect(found()).toEqual([
    `event_log row 2: changes the identity ${PEER_B}, but the log belongs to ${PEER_A} since event_log row 1`,
  ]);
});

it("knows the identity of an archived log", async () => {
  append(temporary.store, desired());
  await archiveBefore(temporary.directory, 2);
  startAs(PEER_B);
  expect(found()).toEqual([
    expect.stringMatching(`: a start as ${PEER_B}, but the log belongs to ${PEER_A} since its archived rows, `),
  ]);
});

it("does not keep such a log from being backed up", async () => {
  startAs(PEER_B);
  const copy = { from: temporary.directory, to: join(temporary.directory, "copy.db"), force: false, nowMs: 0 };
  expect(await backUp(copy)).toMatchObject({ events: 2 });
});
