/** Random logs of messages, reinterpretations and archives: what `reinterpret` finds in them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeMessage, type RawMessage } from "../../src/events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY, type EventSettings } from "../../src/events/vocabulary.ts";
import type { Reinterpreted } from "../../src/store/fold/reinterpret.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import { PEER_A, PEER_B, PEER_C } from "../support/peers.ts";
import { archiveBefore, findingsIn } from "./support/archiving.ts";
import { TemporaryStore } from "./support/temporary-store.ts";

const PEERS = [PEER_A, PEER_B, PEER_C];
const DEFAULTS: EventSettings = { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS };
const SETTINGS: readonly EventSettings[] = [
  DEFAULTS,
  { ...DEFAULTS, partnerRelations: ["PARTNER", "ALLY"] },
  { ...DEFAULTS, partnerRelations: ["ALLY"], blacklistRelations: ["FOE"], ignoreApps: ["oc-discovery", "oc-other"] },
  { ...DEFAULTS, createSubjects: ["CREATE_RESOURCE", "REMOVE_RESOURCE"], removeSubjects: ["X"], ignoreApps: ["oc-api"] },
];

interface Sent {
  readonly peer: number;
  readonly resource: number;
  readonly relation: string;
  readonly app: string;
  readonly names: "address" | "peer" | "resource";
  readonly removes: boolean;
  /** Longer than the 64 KiB that the log keeps. */
  readonly isLong: boolean;
}

type Step =
  | ({ kind: "send" } & Sent)
  | { kind: "reinterpret"; settings: number }
  | { kind: "restart"; settings: number }
  | { kind: "archive"; share: number };

/** Three peers and three resource ids, so that ids often move. */
const sent = fc.record({
  kind: fc.constant("send" as const),
  peer: fc.nat({ max: 2 }),
  resource: fc.nat({ max: 2 }),
  relation: fc.constantFrom("PARTNER", "ALLY", "FOE", "NONE", "REMOVED"),
  app: fc.constantFrom("oc-api", "oc-other"),
  names: fc.constantFrom("address" as const, "address" as const, "peer" as const, "resource" as const),
  removes: fc.integer({ min: 0, max: 4 }).map((roll) => roll === 0),
  isLong: fc.integer({ min: 0, max: 7 }).map((roll) => roll === 0),
});
const reinterpreted = fc.record({
  kind: fc.constant("reinterpret" as const),
  settings: fc.nat({ max: SETTINGS.length - 1 }),
});
const restarted = reinterpreted.map(({ settings }): Step => ({ kind: "restart", settings }));
const archived = fc.record({ kind: fc.constant("archive" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) });

const steps = (...others: { arbitrary: fc.Arbitrary<Step>; weight: number }[]) =>
  fc.array(fc.oneof({ arbitrary: sent as fc.Arbitrary<Step>, weight: 5 }, ...others), {
    minLength: 4,
    maxLength: 16,
    size: "max",
  });

function messageOf({ peer, resource, relation, app, names, removes, isLong }: Sent): RawMessage {
  const record = {
    id: `r-${resource}`,
    relation,
    ...(names === "peer" && { peer_id: PEERS[peer] }),
    ...(names === "address" && { stream_address: `/ip4/10.0.${resource}.1/tcp/4001/p2p/${PEERS[peer]}` }),
    ...(isLong && { note: "x".repeat(70_000) }),
  };
  const bytes = Buffer.from(JSON.stringify({ from_app: app, datatype: "PEER", payload: record }));
  return { subject: removes ? "REMOVE_RESOURCE" : "CREATE_RESOURCE", bytes };
}

/** Logs the message as a daemon with these settings does; undefined if it ignores it. */
function log({ store }: TemporaryStore, message: RawMessage, settings: EventSettings): number | undefined {
  const decoded = decodeMessage(message, settings, settings);
  if (decoded.kind === "ignored") return undefined;
  const [entry] = store.appendReceived([{ decoded, subject: message.subject, payload: message.bytes, dedupeKey: null }]);
  return typeof entry === "object" ? entry.seq : undefined;
}

function plan(directory: string, settings: EventSettings): readonly Reinterpreted[] {
  using reader = openLogReader(directory);
  return reader.reinterpret(settings, () => {}).changes;
}

/** The log of a daemon whose operator changes the settings, with `reinterpret` or without. */
class Log implements Disposable {
  readonly temporary = new TemporaryStore();
  inForce = DEFAULTS;
  /** True if all of the log has been decoded under the settings in force. */
  isUniform = true;
  /** The messages in the log, by seq. */
  readonly messages = new Map<number, Sent>();

  async run(step: Step): Promise<void> {
    const { temporary } = this;
    if (step.kind === "send") {
      const seq = log(temporary, messageOf(step), this.inForce);
      if (seq !== undefined) this.messages.set(seq, step);
    } else if (step.kind === "restart") {
      const before = this.inForce;
      this.inForce = SETTINGS[step.settings] ?? DEFAULTS;
      this.isUniform &&= this.inForce === before;
    } else if (step.kind === "reinterpret") {
      this.inForce = SETTINGS[step.settings] ?? DEFAULTS;
      this.isUniform = true;
      temporary.store.appendReinterpreted(plan(temporary.directory, this.inForce), this.inForce);
    } else {
      await this.archive(step.share);
    }
  }

  /** Archives this share of the rows; returns the last of them. */
  async archive(share: number): Promise<number> {
    const { directory, store } = this.temporary;
    const [anchor] = this.temporary.read("select coalesce(max(last_seq), 0) as seq from archive_anchor");
    const from = Number(anchor?.["seq"]);
    const until = from + Math.floor(share * (store.head().seq - 1 - from));
    if (until > from) await archiveBefore(directory, until + 1);
    return until;
  }

  [Symbol.dispose](): void {
    this.temporary[Symbol.dispose]();
  }
}

test("nothing changes under the settings with which the log was reinterpreted last", async () => {
  const logs = steps(
    { arbitrary: reinterpreted, weight: 1 },
    { arbitrary: restarted, weight: 1 },
    { arbitrary: archived, weight: 1 },
  );
  const property = fc.asyncProperty(logs, async (script) => {
    using run = new Log();
    for (const step of script) {
      await run.run(step);
      if (run.isUniform) expect(plan(run.temporary.directory, run.inForce)).toEqual([]);
    }
    expect(run.temporary.store.verifyProjections()).toEqual([]);
    expect(findingsIn(run.temporary.directory)).toEqual([]);
  });
  await fc.assert(property, { numRuns: 60 });
}, 120_000);

test("the peers become those of a daemon that always had the settings", async () => {
  const short = steps().map((script) => script.map((step) => ({ ...step, isLong: false }) as Step));
  const property = fc.asyncProperty(short, reinterpreted, short, reinterpreted, async (first, earlier, second, last) => {
    fc.pre(earlier.settings !== last.settings && last.settings !== 0);
    using run = new Log();
    for (const step of [...first, earlier, ...second, last]) await run.run(step);
    using always = new TemporaryStore();
    for (const message of run.messages.values()) log(always, messageOf(message), run.inForce);
    expect(wanted(run.temporary)).toEqual(wanted(always));
  });
  await fc.assert(property, { numRuns: 60 });
}, 120_000);

/** The peers that are desired or blacklisted. A blacklisted one may keep an address or resource id that no message in force names. */
function wanted({ store }: TemporaryStore): unknown {
  const peers = store.list().filter(({ standing }) => standing !== "revoked");
  return peers.map(({ peerId, standing, relation, resourceId, address }) => {
    return { peerId, standing, relation, ...(standing === "partner" && { resourceId, address }) };
  });
}

test("an archive changes nothing for a peer whose deciding message remains, and keeps every peer without a message", async () => {
  const settled = sent.map(
    (step): Step => ({ ...step, resource: step.peer, names: step.names === "resource" ? "peer" : step.names }),
  );
  const logs = fc.array(
    fc.oneof({ arbitrary: settled, weight: 5 }, { arbitrary: reinterpreted as fc.Arbitrary<Step>, weight: 1 }),
    {
      minLength: 4,
      maxLength: 16,
      size: "max",
    },
  );
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const property = fc.asyncProperty(logs, share, fc.nat({ max: SETTINGS.length - 1 }), async (script, part, index) => {
    const settings = SETTINGS[index] ?? DEFAULTS;
    using run = new Log();
    for (const step of script) await run.run(step);
    const whole = plan(run.temporary.directory, settings);
    const archivedUntil = await run.archive(part);
    const rest = plan(run.temporary.directory, settings);
    for (const [peer, peerId] of PEERS.entries()) {
      const about = [...run.messages].filter(([, message]) => message.peer === peer);
      const changesOf = (changes: readonly Reinterpreted[]) => changes.filter(({ event }) => event.peerId === peerId);
      if (about.every(([seq]) => seq <= archivedUntil)) expect(changesOf(rest)).toEqual([]);
      const decides = about.findLast(([, message]) => message.isLong || isAccepted(message, settings));
      if (decides !== undefined && !decides[1].isLong && decides[0] > archivedUntil)
        expect(changesOf(rest).map(outcome)).toEqual(changesOf(whole).map(outcome));
    }
  });
  await fc.assert(property, { numRuns: 80 });
}, 120_000);

function isAccepted(message: Sent, settings: EventSettings): boolean {
  const { kind } = decodeMessage(messageOf(message), settings, settings);
  return kind === "desired" || kind === "removed";
}

const outcome = ({ event }: Reinterpreted) =>
  event.type === "PeerRemoved" ? "removed" : [event.relation, event.standing, event.resourceId];
