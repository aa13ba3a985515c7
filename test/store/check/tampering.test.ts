/** Hundreds of ways to tamper with a log, from fixed seeds: `check` finds each, or names the witness that it needs. None is silent. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { resourceIdOf } from "../../../src/base/ids.ts";
import { version } from "../../../src/base/version.ts";
import { runCheck } from "../../../src/cli/log/check.ts";
import type { PublishedHeads } from "../../../src/cli/log/published-heads.ts";
import { decodeMessage } from "../../../src/events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../src/events/vocabulary.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import type { Store } from "../../../src/store/store.ts";
import { repetitions, seedsFrom } from "../../support/campaign.ts";
import { CREATE, envelope, REMOVE } from "../../support/messages.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import {
  addBeforeFirst,
  addBehindAnchor,
  addWithoutArchive,
  changeCount,
  changeHeader,
  changeProjection,
  contradictPayload,
  loseArchive,
  loseHead,
  moveCursorForward,
  rewriteChain,
  swapTrigger,
  type Tamper,
} from "../../support/tamperings.ts";
import { archiveBefore } from "../support/archiving.ts";
import { append, desired, observe, openFailed, start } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const SETTINGS = { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS };

/** Appends messages as publishers send them, decoded as the daemon does. */
function receive(store: Store): void {
  for (const [index, peerId] of [PEER_A, PEER_B, PEER_A].entries()) {
    const record = {
      id: `r-${index}`,
      name: `lyon-${index}`,
      peer_id: peerId,
      relation: index === 2 ? "NONE" : "PARTNER",
      stream_address: `/ip4/192.0.2.1/tcp/401${index}`,
    };
    for (const [subject, payload] of [
      [CREATE, record],
      [CREATE, { relation: "PARTNER" }],
      [REMOVE, { peer_id: PEER_B }],
    ] as const) {
      const bytes = Buffer.from(JSON.stringify(envelope(payload)));
      const decoded = decodeMessage({ subject, bytes }, SETTINGS, SETTINGS);
      if (decoded.kind === "ignored") throw new Error("the message is ignored");
      store.appendReceived([{ decoded, subject, payload: bytes, dedupeKey: null }]);
    }
  }
}

/** A log without archives, whose messages can all be decoded again, one with an archive, and one with all failures in its archive. */
const [plain, archived, quiet] = [temporaryDirectory(), temporaryDirectory(), temporaryDirectory()];

beforeAll(async () => {
  {
    using log = new TemporaryStore();
    start(log.store, { version, config: { events: SETTINGS } });
    receive(log.store);
    for (let repeat = 0; repeat < 3; repeat++) observe(log.store, openFailed(PEER_A));
    log.store[Symbol.dispose]();
    cpSync(log.directory, plain.path, { recursive: true });
  }
  using log = new TemporaryStore();
  const { store, clock } = log;
  appendLongLog(store, clock, 12);
  await archiveBefore(log.directory, store.head().seq - 30);
  for (const peerId of [PEER_A, PEER_B]) for (let repeat = 0; repeat < 3; repeat++) observe(store, openFailed(peerId));
  appendLongLog(store, clock, 3);
  store[Symbol.dispose]();
  // The archive is found only in the copy.
  cpSync(log.directory, archived.path, { recursive: true });
  {
    using failing = new TemporaryStore();
    append(failing.store, desired());
    for (let repeat = 0; repeat < 3; repeat++) observe(failing.store, openFailed(PEER_A));
    append(failing.store, desired({ peerId: PEER_B, resourceId: resourceIdOf("resource-b") }));
    failing.store[Symbol.dispose]();
    await archiveBefore(failing.directory, 3);
    cpSync(failing.directory, quiet.path, { recursive: true });
  }
  return () => {
    quiet[Symbol.dispose]();
    plain[Symbol.dispose]();
    archived[Symbol.dispose]();
  };
});

interface Report {
  readonly code: number;
  readonly findings: readonly string[];
  readonly witnesses: readonly string[];
}

async function check(data: string, required = false, published?: PublishedHeads): Promise<Report> {
  const printed: string[] = [];
  const code = await runCheck({
    data,
    head: undefined,
    published,
    archives: undefined,
    requireHead: required,
    requireArchives: required,
    json: true,
    print: (text) => void printed.push(text),
    terminal: { isTTY: false, write: () => true },
  });
  const { findings, needsWitness } = JSON.parse(printed.join("")) as {
    findings: readonly { place: string; problem: string }[];
    needsWitness: readonly { place: string; claim: string }[];
  };
  return {
    code,
    findings: findings.map(({ place, problem }) => `${place}: ${problem}`),
    witnesses: needsWitness.map(({ place, claim }) => `${place}: ${claim}`),
  };
}

const KINDS: readonly (readonly [about: string, log: string, tamper: Tamper])[] = [
  ["a changed projection", archived.path, changeProjection],
  ["a cursor moved forward", archived.path, moveCursorForward],
  ["a changed count of repeated failures", archived.path, changeCount],
  ["a lost archive file", archived.path, loseArchive],
  ["a lost head file", archived.path, loseHead],
  ["a swapped trigger", archived.path, swapTrigger],
  ["a row behind the anchor", archived.path, addBehindAnchor],
  ["a row before the first one", plain.path, addBeforeFirst],
  ["remains of an archive that there is not", plain.path, addWithoutArchive],
  ["a changed count of an archived failure", quiet.path, changeCount],
  ["a payload that contradicts its row", plain.path, contradictPayload],
  ["a recomputed chain", plain.path, rewriteChain],
  ["a changed file header", plain.path, changeHeader],
];

/** `npm run campaign -- corruption` runs 400. */
const ROUNDS = repetitions(3, 40);

describe("check of the logs before they are tampered with", () => {
  it.each([
    ["plain", plain.path],
    ["archived", archived.path],
    ["quiet", quiet.path],
  ])("finds nothing in the %s one", async (_name, log) => {
    expect((await check(log, true)).findings).toEqual([]);
  });
});

describe("check finds, or names the witness that it needs", () => {
  it.each(KINDS)(`%s (${ROUNDS} seeds)`, async (about, log, tamper) => {
    for (const seed of seedsFrom(7_000 + 100 * KINDS.findIndex(([name]) => name === about), ROUNDS)) {
      using directory = temporaryDirectory();
      cpSync(log, directory.path, { recursive: true });
      const { what, finding, witness, required } = tamper(directory.path, seededRandom(seed));
      const report = await check(directory.path);
      const shown = `seed ${seed}: ${what}\n${[...report.findings, "needs a witness:", ...report.witnesses].join("\n")}`;
      expect.soft(report.code, shown).toBe(finding === null ? 0 : 1);
      if (finding !== null)
        expect
          .soft(
            report.findings.some((text) => finding.test(text)),
            shown,
          )
          .toBe(true);
      if (witness !== null)
        expect
          .soft(
            report.witnesses.some((text) => witness.test(text)),
            shown,
          )
          .toBe(true);
      if (required === undefined) continue;
      const strict = await check(directory.path, true);
      expect.soft(strict.code, shown).toBe(1);
      expect
        .soft(
          strict.findings.some((text) => required.test(text)),
          `${shown}\n${strict.findings.join("\n")}`,
        )
        .toBe(true);
    }
  });
});

describe("check with published heads finds", () => {
  it.each([
    ["a recomputed chain", plain, rewriteChain],
    ["a recomputed chain whose payload contradicts a row", plain, contradictPayload],
  ])(`%s (${ROUNDS} seeds)`, async (_about, log, tamper) => {
    const published = headsOf(log.path);
    expect((await check(log.path, true, published)).findings).toEqual([]);
    for (const seed of seedsFrom(8_000, ROUNDS)) {
      using directory = temporaryDirectory();
      cpSync(log.path, directory.path, { recursive: true });
      const { what } = tamper(directory.path, seededRandom(seed));
      const { code, findings } = await check(directory.path, true, published);
      expect.soft(code, `seed ${seed}: ${what}`).toBe(1);
      expect.soft(findings.join("\n"), `seed ${seed}: ${what}`).toMatch(/^event_log row \d+: chain_hash is \w+, heads names/m);
    }
  });
});

/** The head after each row, as if published. */
function headsOf(directory: string): PublishedHeads {
  using raw = rawConnection(join(directory, "oc-partnerd.db"), { readonly: true });
  const heads = raw.database
    .prepare<[], { seq: number; hashPrefix: string }>("select seq, chain_hash as hashPrefix from event_log order by seq")
    .all();
  return { from: "heads", heads: heads.map((head) => ({ from: "heads", ...head })), server: null, findings: [] };
}
