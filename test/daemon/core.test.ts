/** The core: the end of its buffer and of its streams, and failed appends. */
import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { admissionPolicyOf, type Core, createCore } from "../../src/daemon/core.ts";
import type { DesiredPeer } from "../../src/events/types.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../../src/reconciler/options.ts";
import { seededRandom } from "../../src/sim/time/random.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import type { Store } from "../../src/store/store.ts";
import { RUN } from "../support/attempts.ts";
import { CREATE } from "../support/messages.ts";
import { desiredPeer, NOTHING_OPEN, PEER_A, PEER_B } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

let clock: VirtualClock;
let logger: RecordingLogger;
/** How many messages the log got; if `failure` is set, none. */
let appended: number;
let failure: PartnerdError | undefined;
let failures: string[];
let received: string[];
let partners: DesiredPeer[];
/** The streams that are being opened. */
let opening: { readonly signal: AbortSignal; readonly settled: PromiseWithResolvers<void> }[];
let core: Core;

beforeEach(() => {
  [clock, logger] = [new VirtualClock(), new RecordingLogger()];
  [appended, failure, failures, received, partners, opening] = [0, undefined, [], [], [], []];
  const appendReceived = (batch: readonly unknown[]) => {
    if (failure !== undefined) throw failure;
    appended += batch.length;
    return batch.map(() => "duplicate" as const);
  };
  core = createCore(
    {
      clock,
      random: seededRandom(1),
      logger,
      desired: { get: (peerId) => partners.find((peer) => peer.peerId === peerId), list: () => partners },
      log: { appendReceived: appendReceived as Store["appendReceived"] },
      streams: {
        actual: (peerId) => ({ ...NOTHING_OPEN, peerId }),
        peers: () => [],
        open: (_peer, signal) => {
          const settled = Promise.withResolvers<void>();
          opening.push({ signal, settled });
          return settled.promise;
        },
        renew: () => Promise.resolve(),
        close: () => {},
      },
      wake: (peerId: PeerId) => core.reconciler.wake(peerId),
      observer: { observed: () => {}, acted: () => {}, settled: () => {}, faulted: () => {}, resyncFound: () => {} },
      onReceived: (result) => void received.push(result),
      onAppendFailed: (kind) => void failures.push(kind),
    },
    {
      self: PEER_A,
      run: RUN,
      reconcile: DEFAULT_RECONCILER_OPTIONS,
      admissionRule: "unless-revoked",
      vocabulary: DEFAULT_VOCABULARY,
      limits: DEFAULT_LIMITS,
    },
  );
});

const offer = (text: string) => core.buffer.offer({ subject: CREATE, bytes: Buffer.from(text), dedupeKey: null });

describe("the core", () => {
  it("writes what is buffered when it ends, and reports what it cannot", async () => {
    offer("no JSON");
    await core[Symbol.asyncDispose]();
    expect([appended, received, clock.pendingTimers]).toEqual([1, ["duplicate"], 0]);
  });

  it("waits at its end for the log, while that is locked, and then for the streams that it opens", async () => {
    partners = [desiredPeer(PEER_B)];
    core.reconciler.start();
    await clock.advance(0);
    expect(opening).toHaveLength(1);
    failure = new PartnerdError("database_failed", "locked", { details: { isPassing: true } });
    offer("no JSON");
    let isOver = false;
    const ended = core[Symbol.asyncDispose]().then(() => {
      isOver = true;
    });
    await clock.advance(100);
    // Streams are still opened: events come first.
    expect([appended, opening[0]?.signal.aborted]).toEqual([0, false]);
    failure = undefined;
    await clock.advance(300);
    expect([appended, opening[0]?.signal.aborted, isOver]).toEqual([1, true, false]);
    opening[0]?.settled.reject(new PartnerdError("aborted", "the daemon is stopping"));
    await clock.advance(0);
    await ended;
    expect([isOver, clock.pendingTimers]).toEqual([true, 0]);
  });

  it.each([
    ["locked", new PartnerdError("database_failed", "locked", { details: { isPassing: true } })],
    ["append", new PartnerdError("database_failed", "disk full")],
  ])("counts a failed append as %s", async (kind, error) => {
    failure = error;
    offer("no JSON");
    await clock.advance(0);
    expect(failures).toEqual([kind]);
    failure = undefined;
    await core[Symbol.asyncDispose]();
  });

  it("admits by the log", () => {
    const policy = admissionPolicyOf({ get: () => desiredPeer(PEER_B, { standing: "blacklisted" }) }, "unless-revoked");
    expect(policy.verdictOn(PEER_B)).toBe("blacklisted");
  });
});
