/** `closed -> opening -> established -> closed`, with `backoff` between: decide, backoff, queue, loop and registry follow the model's arrows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { Address, PeerId } from "../../src/base/ids.ts";
import type { Standing } from "../../src/events/types.ts";
import { propertyRuns } from "../support/campaign.ts";
import { commandsComparedBy } from "../support/model-command.ts";
import { desiredPeer } from "../support/peers.ts";
import type { LifeModel } from "./stream-life-model.ts";
import { type Models, PEERS, World } from "./stream-life-world.ts";

const FAILURES: readonly ErrorCode[] = [
  ...(["dial_failed", "timeout", "refused", "identity_mismatch", "protocol_unsupported"] as const),
  "address_unsupported",
];

const command = commandsComparedBy<Models, World>((models, { resyncFound }) => {
  expect(Object.fromEntries([...models].map(([peerId, { violations }]) => [peerId, violations]))).toEqual(
    Object.fromEntries(PEERS.map((peerId) => [peerId, []])),
  );
  expect(resyncFound, "work found by the diff without a wake").toBe(0);
});

const aPeer = fc.oneof({ weight: 7, arbitrary: fc.constantFrom(...PEERS) }, { weight: 7, arbitrary: fc.constant(PEERS[0]) });
/** Whether the next command runs before everything has settled. */
const hurried = fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true));

/** A command about one peer. */
function about<Given>(
  given: fc.Arbitrary<Given>,
  say: (peerId: PeerId, given: Given) => string,
  run: (model: LifeModel, world: World, peerId: PeerId, given: Given) => void,
  check: (model: LifeModel) => boolean = () => true,
): fc.Arbitrary<fc.AsyncCommand<Models, World>> {
  return fc.tuple(aPeer, given, hurried).map(([peerId, what, isHurried]) =>
    command(
      `${say(peerId, what)}${isHurried ? ", and at once" : ""}`,
      async (models, world) => {
        run(modelOf(models, peerId), world, peerId, what);
        if (!isHurried) await settle(models, world);
      },
      (models) => check(modelOf(models as Models, peerId)),
    ),
  );
}

function modelOf(models: Models, peerId: PeerId): LifeModel {
  const model = models.get(peerId);
  if (model === undefined) throw new Error(`${peerId} has no model`);
  return model;
}

async function settle(models: Models, world: World, durationMs = 0): Promise<void> {
  await world.clock.advance(durationMs);
  for (const [peerId, model] of models) model.settled(world.reconciler.progress(peerId), world.actual(peerId).connected);
}

const standings = fc.constantFrom<Standing>("partner", "partner", "partner", "partner", "revoked", "blacklisted");
/** Another event about the peer. It starts a new generation if it changes standing or address. */
const desire = about(
  fc.record({ standing: standings, port: fc.constantFrom(1, 1, 1, 2) }),
  (peerId, { standing, port }) => `${peerId} is ${standing} at port ${port}`,
  (model, world, peerId, { standing, port }) => {
    const address = `/ip4/10.0.0.1/tcp/${port}` as Address;
    const before = model.desired;
    const desiredSeq = (before?.desiredSeq ?? 0) + 1;
    const isSame = before?.standing === standing && before.address === address;
    const desired = desiredPeer(peerId, { standing, address, desiredSeq, generation: isSame ? before.generation : desiredSeq });
    model.desire(desired);
    world.desire(desired);
  },
);
const answer = about(
  fc.constant(undefined),
  (peerId) => `${peerId} answers`,
  (_, world, peerId) => world.answer(peerId),
  ({ phase }) => phase.name === "opening" && phase.told === undefined,
);
const fail = about(
  fc.constantFrom(...FAILURES),
  (peerId, code) => `${peerId} fails: ${code}`,
  (model, world, peerId, code) => {
    model.tell(code);
    world.answer(peerId, code);
  },
  ({ phase }) => phase.name === "opening" && phase.told === undefined,
);
const lose = about(
  fc.constant(undefined),
  (peerId) => `${peerId} resets its stream`,
  (_, world, peerId) => world.lose(peerId),
  ({ phase }) => phase.name === "established",
);
const silence = about(
  fc.boolean(),
  (peerId, silent) => `${peerId} ${silent ? "falls silent" : "speaks"}`,
  (model, _, __, silent) => model.beSilent(silent),
);
const signOfLife = about(
  fc.constant(undefined),
  (peerId) => `${peerId} shows life`,
  (model, world, peerId) => {
    model.showLife();
    world.showLife(peerId);
  },
);
const inbound = about(
  fc.constant(undefined),
  (peerId) => `${peerId} streams to us`,
  (model, world, peerId) => (model.hasInbound ? world.heartbeat(peerId) : world.openInbound(peerId)),
  ({ desired }) => desired === undefined || desired.standing === "partner",
);
const pass = fc
  .constantFrom(10, 400, 1_000, 3_000, 12_000, 61_000)
  .map((durationMs) => command(`${durationMs} ms pass`, (models, world) => settle(models, world, durationMs)));
const stall = fc.constantFrom(500, 8_000, 30_000).map((durationMs) =>
  command(`stall for ${durationMs} ms`, async (models, world) => {
    await settle(models, world);
    world.stall(durationMs);
    await settle(models, world);
  }),
);

/** All transitions except the rarest, which a run may miss. */
const ARROWS = [
  "closed -> opening",
  "opening -> established",
  "opening -> backoff",
  "opening -> stopped",
  "opening -> closed, aborted",
  "established -> backoff",
  "established -> closed, revoked",
  "established -> closed, outdated",
  "backoff -> opening",
  "backoff -> closed, new generation",
  "stopped -> closed, new generation",
  "a stable stream resets the count",
  "a stream is reset within the grace",
] as const;
const arrows = new Set<string>();

async function live(seed: number, resync: boolean, commands: Iterable<fc.AsyncCommand<Models, World>>): Promise<void> {
  const world = new World(seed);
  if (resync) world.reconciler.start();
  await fc.asyncModelRun(() => ({ model: world.models, real: world }), commands);
  for (const model of world.models.values()) for (const arrow of model.arrows) arrows.add(arrow);
  await world.clock.advance(0);
  await world.reconciler.stop();
  expect(world.clock.pendingTimers).toBe(0);
}

test("streams behave as documented in any sequence of events", async () => {
  const all = [
    desire,
    desire,
    desire,
    answer,
    answer,
    answer,
    fail,
    fail,
    lose,
    silence,
    signOfLife,
    inbound,
    pass,
    pass,
    pass,
    stall,
  ];
  const commands = fc.commands(all, { maxCommands: 60, size: "max" });
  await fc.assert(fc.asyncProperty(fc.nat(), fc.boolean(), commands, live), propertyRuns(400, 20_000));
  expect([...arrows].sort(), "every transition was taken").toEqual(expect.arrayContaining([...ARROWS]));
});

test("an inbound stream is closed when its lease expires, even if a renewal of the outbound one has just failed", async () => {
  const peerId = PEERS[0];
  for (let openedAtMs = 0; openedAtMs < 6_000; openedAtMs += 100) {
    const world = new World(openedAtMs);
    world.openInbound(peerId);
    await world.clock.advance(openedAtMs);
    world.desire(desiredPeer(peerId));
    await world.clock.advance(0);
    modelOf(world.models, peerId).beSilent(true);
    world.answer(peerId);
    await world.clock.advance(10_001 - openedAtMs);
    expect(world.actual(peerId).inbound, `outbound opened after ${openedAtMs} ms`).toBeNull();
    await world.reconciler.stop();
  }
});
