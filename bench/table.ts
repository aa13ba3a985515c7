/** Formats the results for people. */
import { table } from "../src/cli/terminal/table.ts";
import { type AcknowledgeResult, SCHEME_NAMES, type SchemeName } from "./acknowledge.ts";
import type { Environment } from "./environment.ts";
import type { EstablishResult } from "./establish.ts";
import type { HeadOfLineResult } from "./head-of-line.ts";
import type { IngestPath, IngestResult } from "./ingest.ts";
import type { MemoryResult } from "./memory.ts";
import type { ReplayResult } from "./replay.ts";
import type { Summary } from "./statistics.ts";
import type { TimeTravelResult } from "./time-travel.ts";

export function environmentText(environment: Environment): string {
  const { cores, cpu, platform, node, natsServer, commit, modified, loadAverage } = environment;
  const of = commit === null ? "no commit" : `commit ${commit.slice(0, 10)}${modified ? ", modified" : ""}`;
  return [
    `oc-partnerd benchmarks: ${of}`,
    `${platform}, ${cores} cores (${cpu}), load ${loadAverage}, Node ${node}, nats-server ${natsServer}`,
  ].join("\n");
}

export function establishText({ partners, daemon, floors, ratios, target }: EstablishResult): string {
  const row = (what: string, { p50Ms, p90Ms, p99Ms }: Summary) => [what, ms(p50Ms), ms(p90Ms), ms(p99Ms)];
  const factors = (what: string, { p50, p99 }: { p50: number; p99: number }) => [what, times(p50), "", times(p99)];
  const rows = [
    row("oc-partnerd: event published -> stream established", daemon.total),
    row("    published -> event in the log", daemon.publishedToLogged),
    row("    event in the log -> stream established", daemon.loggedToEstablished),
    row("    published -> row of the established stream on disk", daemon.publishedToRecorded),
    row("floor with a session ping", floors.session.total),
    row("    dial", floors.session.dial),
    row("    new stream, one write", floors.session.stream),
    row("    ping", floors.session.ping),
    row("floor with a ping over a stream", floors.service.total),
    factors("ratio to the floor with a session ping", ratios.session),
    factors("ratio to the floor with a ping over a stream", ratios.service),
  ];
  return [
    `(a) ${partners} partners, one after another`,
    table(["", "p50", "p90", "p99"], rows),
    verdict(`p50 at most ${times(target.p50Ratio)} the lower floor`, times(target.measured), target.met),
  ].join("\n");
}

export function headOfLineText(result: HeadOfLineResult): string {
  const { partners, blackHoles, openTimeoutMs, withoutBlackHoles, withBlackHoles, naiveMs, target } = result;
  const row = (what: string, { minMs, p50Ms, maxMs }: Summary, factor: string) => [what, ms(p50Ms), ms(minMs), ms(maxMs), factor];
  const rows = [
    row("oc-partnerd, without black holes", withoutBlackHoles, times(1)),
    row("oc-partnerd, with black holes", withBlackHoles, times(result.ratio)),
    ["naive: one lock held while dialling, with black holes", ms(naiveMs), "", "", times(result.naiveRatio)],
  ];
  return [
    `(b) ${partners} live partners and ${blackHoles} black holes at once, until all live ones are established ` +
      `(rounds: ${withBlackHoles.samples}, limit per dial: ${openTimeoutMs} ms)`,
    table(["", "median", "least", "most", "ratio"], rows),
    verdict(`at most ${times(target.ratio)} the time without black holes`, times(target.measured), target.met),
  ].join("\n");
}

export function timeTravelText({ events, peers, questions }: TimeTravelResult): string {
  const rows = questions.map(({ what, time, floor, ratio, targetMs }) => [
    what,
    ms(time.p50Ms),
    ms(time.p90Ms),
    ms(floor.p50Ms),
    times(ratio),
    `${time.p50Ms <= targetMs ? "met" : "MISSED"}: ${targetMs} ms`,
  ]);
  return [
    `(g) a log of ${thousands(events)} events of ${thousands(peers)} peers (rounds: ${questions[0]?.time.samples ?? 0})`,
    table(["", "median", "90 %", "floor", "ratio", "target"], rows),
  ].join("\n");
}

export function replayText({ events, peers, differences, scan, replay, verify, ratios, target }: ReplayResult): string {
  const row = (what: string, { time, eventsPerSecond }: typeof scan, factor: number) => [
    what,
    `${thousands(eventsPerSecond)}/s`,
    ms(time.p50Ms),
    ms(time.minMs),
    ms(time.maxMs),
    times(factor),
  ];
  const rows = [
    row("floor: the same columns scanned", scan, 1),
    row("oc-partnerd: the log replayed", replay, ratios.replay),
    row("oc-partnerd: replayed and compared with the tables, row by row", verify, ratios.verify),
  ];
  return [
    `(c) a log of ${thousands(events)} events of ${thousands(peers)} peers (rounds: ${verify.time.samples}); ` +
      `differences between replay and tables: ${differences}`,
    table(["", "events", "median", "least", "most", "ratio"], rows),
    verdict(
      `no difference, at least ${thousands(target.eventsPerSecond)} events/s`,
      `${thousands(target.measured)}/s`,
      target.met,
    ),
  ].join("\n");
}

const SCHEMES: Readonly<Record<SchemeName, string>> = {
  each: "each message",
  eachConfirmed: "each message, confirmed before the next batch",
  all: "the last of each batch, for all before it",
  allConfirmed: "the last of each batch, confirmed before the next one",
  none: "nothing",
};

export function acknowledgeText({ events, batch, storedBytes, schemes }: AcknowledgeResult): string {
  const rows = SCHEME_NAMES.map((name) => {
    const { time, eventsPerSecond, factor } = schemes[name];
    return [SCHEMES[name], `${thousands(eventsPerSecond)}/s`, ms(time.p50Ms), ms(time.minMs), ms(time.maxMs), times(factor)];
  });
  return [
    `(e) a bare consumer of ${thousands(events)} events of ${storedBytes} bytes, in batches of ${batch} ` +
      `(rounds: ${schemes.each.time.samples}), by what it acknowledges`,
    table(["", "events", "median", "least", "most", "speed"], rows),
  ].join("\n");
}

export function ingestText({ events, jetstream, core, target }: IngestResult): string {
  const row = (what: string, { time, eventsPerSecond }: IngestPath["ingest"], share: number | null) => [
    what,
    `${thousands(eventsPerSecond)}/s`,
    ms(time.p50Ms),
    ms(time.minMs),
    ms(time.maxMs),
    share === null ? "" : times(share),
  ];
  const rows = [
    row("floor 1: the same transactions into bare better-sqlite3", jetstream.sqlite, null),
    row("floor 2: a bare consumer that acknowledges the same way", jetstream.consumer, null),
    row("oc-partnerd: JetStream -> fsynced log", jetstream.ingest, jetstream.share),
    row("floor 1 again", core.sqlite, null),
    row("floor 2: a bare core subscription", core.consumer, null),
    row("oc-partnerd: core NATS -> fsynced log", core.ingest, core.share),
  ];
  return [
    `(d) ${thousands(events)} events from the broker to the disk (rounds: ${jetstream.ingest.time.samples})`,
    table(["", "events", "median", "least", "most", "of the slower floor"], rows),
    verdict(`at least ${times(target.share)} the speed of the slower floor, both ways`, times(target.measured), target.met),
  ].join("\n");
}

export function memoryText({ events, eventsPerSecond, samples }: MemoryResult): string {
  const rows = samples.map((sample) => [thousands(sample.events), `${sample.residentMiB} MiB`]);
  return [
    `(f) ${thousands(events)} events through a whole daemon, ${thousands(eventsPerSecond)}/s: maximum resident memory in each tenth`,
    table(["events", "resident"], rows),
  ].join("\n");
}

function verdict(target: string, measured: string, met: boolean): string {
  return `target: ${target}; measured ${measured}: ${met ? "met" : "missed"}`;
}

const ms = (value: number): string => `${value < 100 ? value.toFixed(2) : Math.round(value)} ms`;
const times = (value: number): string => `${value.toFixed(2)}x`;
const thousands = (value: number): string => value.toLocaleString("en");
