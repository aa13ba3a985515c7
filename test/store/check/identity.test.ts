/** check finds starts of the daemon under another identity than that of the log. */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { claimSentenceOf } from "../../../src/store/model/finding.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";
import type { StartInit } from "../../../src/store/write/own-event-appender.ts";
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

it("no longer reports a start under another identity once it is archived", async () => {
  startAs(PEER_B);
  append(temporary.store, desired());
  await archiveBefore(temporary.directory, 3);
  expect(found()).toEqual([]);
});

describe("a start of a version that recorded no PeerID", () => {
  beforeEach(() => {
    temporary[Symbol.dispose]();
    temporary = new TemporaryStore();
  });

  /** Such a version accepted any key. */
  const startUnnamed = () => temporary.store.registerStart(unnamed, () => {});
  const unnamed = { run: "00000000", version: "0.0.0", config: { events: {} }, lastAliveMs: null } as unknown as StartInit;
  const ofIdentity = () =>
    checkDatabase({ path: temporary.directory })
      .witnesses.map(claimSentenceOf)
      .filter((claim) => claim.includes("PeerID"));

  it("needs a witness, and is not a finding", () => {
    for (let starts = 0; starts < 2; starts++) {
      startUnnamed();
      temporary.store.appendStart();
    }
    startAs(PEER_A);
    expect(found()).toEqual([]);
    expect(ofIdentity()).toEqual([
      "event_log: 2 starts up to event_log row 2 may have had another key than the log's, because an earlier version recorded no PeerID; the operator who put another key in place, or the logs of partners from that time",
    ]);
  });

  it("does not excuse a later start under another identity", () => {
    startUnnamed();
    temporary.store.appendStart();
    startAs(PEER_A);
    startAs(PEER_B);
    expect(found()).toEqual([expect.stringMatching(`^event_log row 3: a start as ${PEER_B}, but .* since event_log row 2, `)]);
  });

  it("is a finding after a start that names one", () => {
    startAs(PEER_A);
    startUnnamed();
    temporary.store.appendStart();
    expect(found()).toEqual(["event_log row 2: a start without a PeerID, which each one since event_log row 1 must name"]);
  });

  it("is not listed if there is none", () => {
    startAs(PEER_A);
    expect(ofIdentity()).toEqual([]);
  });
});
