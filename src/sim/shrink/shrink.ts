/**
 * The smallest fixture that still fails: first whatever can be left out is (delta debugging), then whatever is left is said more
 * simply. It knows nothing of what a failure is; that is the predicate's.
 */
import { z } from "zod";
import { PartnerdError } from "../../base/errors.ts";
import { type Fixture, type FixtureLine, headerSchema, LINE_KINDS, lineSchemas, REST_MS } from "../../fixture/format/schema.ts";

/** Whether the candidate shows the same failure as the fixture that is being shrunk. The same candidate always gives the same answer. */
export type StillFails = (candidate: Fixture) => Promise<boolean>;

export interface ShrinkProgress {
  /** How often the predicate has been asked. */
  readonly runs: number;
  readonly smallest: Fixture;
}

export interface ShrinkOptions {
  /** Ends the search; what is the smallest by then is the result. */
  readonly signal?: AbortSignal;
  /** Called after every run. */
  readonly onProgress?: (progress: ShrinkProgress) => void;
  /** Ends the search as the signal does. */
  readonly maxRuns?: number;
}

const DEFAULT_MAX_RUNS = 2_000;
/** Up to here, lines that can only go together (a cut and its healing) are looked for among all pairs. */
const MOST_LINES_IN_PAIRS = 16;
/** A run is ended this soon after its failure, and no sooner: people read whole seconds. */
const DURATION_STEP_MS = 1_000;
/** Times that are easy to read, shortest first. */
const ROUND_MS = [0, 1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 45_000, 60_000, 120_000, 300_000];

/**
 * A fixture that fails as `fixture` does, from which no line can be left out. Lines keep their order and what they say of whom;
 * times, fields and settings only get simpler. Deterministic where `stillFails` is. Throws check_failed where `fixture` itself
 * does not fail, and whatever the predicate throws.
 */
export async function shrink(fixture: Fixture, stillFails: StillFails, options: ShrinkOptions = {}): Promise<Fixture> {
  const search = new Search(fixture, stillFails, options);
  if (!(await stillFails(fixture))) {
    throw new PartnerdError("check_failed", "the fixture does not fail, so there is nothing to shrink", {
      nextStep: "replay it, and ask for a failure that it shows",
    });
  }
  let before: Fixture;
  do {
    before = search.smallest;
    await cutDuration(search);
    await dropPeers(search);
    await minimalPart(search.smallest.lines, (lines) => search.acceptsLines(lines));
    await dropPairs(search);
    await simplifyHeader(search);
    await simplifyLines(search);
    await dropDeliveries(search);
    await mergeGaps(search);
  } while (search.smallest !== before && !search.isOver);
  return search.smallest;
}

/**
 * A part of `items`, in their order, for which `fails` holds although it does not without any single one of them. `fails` must hold
 * for all of `items`. Deterministic, and needs no monotone predicate.
 */
export async function minimalPart<Item>(
  items: readonly Item[],
  fails: (part: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[]> {
  let part = items;
  let size = part.length;
  while (size > 0 && part.length > 0) {
    const before = part.length;
    // From the end: what comes late is needed least.
    for (let end = part.length; end > 0; end -= size) {
      const rest = [...part.slice(0, Math.max(0, end - size)), ...part.slice(end)];
      if (await fails(rest)) part = rest;
    }
    if (size > 1) size = Math.min(Math.ceil(size / 2), part.length);
    else if (part.length === before) size = 0;
  }
  return part;
}

/** The smallest fixture so far, and the one way to a smaller one. No candidate is tried twice. */
class Search {
  readonly #stillFails: StillFails;
  readonly #options: ShrinkOptions;
  readonly #tried = new Set<string>();
  #smallest: Fixture;

  constructor(fixture: Fixture, stillFails: StillFails, options: ShrinkOptions) {
    this.#smallest = fixture;
    this.#stillFails = stillFails;
    this.#options = options;
    this.#tried.add(JSON.stringify(fixture));
  }

  get smallest(): Fixture {
    return this.#smallest;
  }

  get isOver(): boolean {
    const { signal, maxRuns = DEFAULT_MAX_RUNS } = this.#options;
    return signal?.aborted === true || this.#tried.size > maxRuns;
  }

  /** Whether `candidate` fails too, and is therefore the smallest now. False for what has been tried, and once the search is over. */
  async accepts(candidate: Fixture): Promise<boolean> {
    if (this.isOver) return false;
    const text = JSON.stringify(candidate);
    if (this.#tried.has(text)) return false;
    this.#tried.add(text);
    const fails = await this.#ask(candidate);
    if (fails) this.#smallest = candidate;
    this.#options.onProgress?.({ runs: this.#tried.size - 1, smallest: this.#smallest });
    return fails;
  }

  /** Takes the first of the candidates that fails too. */
  async acceptsFirstOf(candidates: Iterable<Fixture>): Promise<void> {
    for (const candidate of candidates) if (await this.accepts(candidate)) return;
  }

  acceptsLines(lines: readonly FixtureLine[]): Promise<boolean> {
    return this.accepts({ header: this.#smallest.header, lines });
  }

  /** A run that was aborted says nothing, also not by throwing. */
  async #ask(candidate: Fixture): Promise<boolean> {
    try {
      return (await this.#stillFails(candidate)) && this.#options.signal?.aborted !== true;
    } catch (thrown) {
      if (this.#options.signal?.aborted === true) return false;
      throw thrown;
    }
  }
}

/** Bisects the time of the failure, and drops what comes later. First of all, since every later run is as long as this leaves it. */
async function cutDuration(search: Search): Promise<void> {
  let fails = Math.ceil(durationMs(search.smallest) / DURATION_STEP_MS);
  let passes = 0;
  while (fails - passes > 1) {
    const middle = Math.floor((passes + fails) / 2);
    if (await search.accepts(endedAt(search.smallest, middle * DURATION_STEP_MS))) fails = middle;
    else passes = middle;
  }
}

async function dropPeers(search: Search): Promise<void> {
  const { lines } = search.smallest;
  const peers = [...new Set(lines.flatMap((line) => peerOf(line) ?? []))];
  await minimalPart(peers, (kept) => {
    const left = new Set(kept);
    return search.acceptsLines(lines.filter((line) => left.has(peerOf(line) ?? "") || peerOf(line) === undefined));
  });
}

async function dropPairs(search: Search): Promise<void> {
  if (search.smallest.lines.length > MOST_LINES_IN_PAIRS) return;
  for (let second = search.smallest.lines.length - 1; second > 0; second--) {
    for (let first = second - 1; first >= 0; first--) {
      const { lines } = search.smallest;
      if (second >= lines.length) break;
      await search.acceptsLines(lines.filter((_, index) => index !== first && index !== second));
    }
  }
}

async function simplifyHeader(search: Search): Promise<void> {
  const { fixture, version, self } = search.smallest.header;
  const plain = headerSchema.parse({ fixture, version, self });
  for (const field of ["note", "latencyMs", "seed"] as const) {
    const { [field]: _, ...rest } = search.smallest.header;
    await search.accepts({ ...search.smallest, header: headerSchema.parse(rest) });
  }
  for (const [setting, value] of Object.entries(plain.settings)) {
    const { header, lines } = search.smallest;
    await search.accepts({ header: { ...header, settings: { ...header.settings, [setting]: value } }, lines });
  }
}

/** What a line need not say; for each field, what it means when it is left out. Of a message, one of two optional fields is needed. */
const UNSAID: ReadonlyMap<string, unknown> = new Map(
  LINE_KINDS.filter((kind) => kind !== "message")
    .flatMap((kind) => [...lineSchemas[kind]])
    .flatMap(({ shape }) => Object.entries(shape))
    .flatMap(([field, type]): [string, unknown][] => {
      if (type instanceof z.ZodOptional) return [[field, undefined]];
      return type instanceof z.ZodDefault ? [[field, type.def.defaultValue]] : [];
    }),
);

/** How long something lasts, or by how much something moves. */
const DURATIONS = ["forMs", "downMs", "lagMs", "byMs"] as const;

async function simplifyLines(search: Search): Promise<void> {
  await search.acceptsLines(search.smallest.lines.map((line) => withField(line, "note", undefined)));
  for (const index of search.smallest.lines.keys()) {
    for (const [field, value] of Object.entries(lineAt(search, index))) {
      if (UNSAID.has(field) && value !== UNSAID.get(field))
        await search.accepts(withLine(search, index, field, UNSAID.get(field)));
    }
    for (const field of DURATIONS) {
      const value: unknown = Reflect.get(lineAt(search, index), field);
      if (typeof value !== "number" || value === UNSAID.get(field)) continue;
      await search.acceptsFirstOf(rounder(Math.abs(value)).map((ms) => withLine(search, index, field, Math.sign(value) * ms)));
    }
  }
}

async function dropDeliveries(search: Search): Promise<void> {
  for (const index of search.smallest.lines.keys()) {
    for (let copy = deliveriesOf(lineAt(search, index)).length - 1; copy >= 0; copy--) {
      const deliveries = deliveriesOf(lineAt(search, index));
      const others = deliveries.toSpliced(copy, 1);
      if (others.length > 0 && (await search.accepts(withLine(search, index, "deliveries", others)))) continue;
      const delaysMs = rounder(deliveries[copy] ?? 0);
      await search.acceptsFirstOf(delaysMs.map((ms) => withLine(search, index, "deliveries", deliveries.with(copy, ms))));
    }
  }
}

/** Everything comes as soon as it can after what came before it; all of it at once where possible. */
async function mergeGaps(search: Search): Promise<void> {
  const { lines } = search.smallest;
  await search.accepts(lines.reduce((fixture, _, index) => withGap(fixture, index, 0), search.smallest));
  for (const index of lines.keys()) {
    const gapMs = gapBefore(search.smallest, index);
    await search.acceptsFirstOf(rounder(gapMs).map((ms) => withGap(search.smallest, index, ms)));
  }
}

/** Shorter times than `ms` that are easier to read, shortest first; at last `ms` itself with fewer digits. */
function rounder(ms: number): number[] {
  const fewerDigits = [1_000, 100, 10, 1].map((unit) => Math.floor(ms / unit) * unit);
  return [...new Set([...ROUND_MS, ...fewerDigits])].filter((shorter) => shorter < ms).sort((a, b) => a - b);
}

function wholeSeconds(ms: number): number {
  return Math.ceil(ms / DURATION_STEP_MS) * DURATION_STEP_MS;
}

function gapBefore({ lines }: Fixture, index: number): number {
  return (lines[index]?.atMs ?? 0) - (lines[index - 1]?.atMs ?? 0);
}

/** The lines from `index` on come so long after the one before them; the end moves with them. */
function withGap(fixture: Fixture, index: number, gapMs: number): Fixture {
  const { header, lines } = fixture;
  const earlierMs = gapBefore(fixture, index) - gapMs;
  const earlier = (ms: number) => Math.max(lines[index - 1]?.atMs ?? 0, Math.round((ms - earlierMs) * 1_000) / 1_000);
  const { durationMs: endMs } = header;
  return {
    header: endMs === undefined ? header : { ...header, durationMs: wholeSeconds(earlier(endMs)) },
    lines: lines.map((line, at) => (at < index ? line : { ...line, atMs: earlier(line.atMs) })),
  };
}

function endedAt({ header, lines }: Fixture, endMs: number): Fixture {
  return { header: { ...header, durationMs: endMs }, lines: lines.filter(({ atMs }) => atMs <= endMs) };
}

function durationMs({ header, lines }: Fixture): number {
  return header.durationMs ?? (lines.at(-1)?.atMs ?? 0) + REST_MS;
}

function lineAt(search: Search, index: number): object {
  return search.smallest.lines[index] ?? {};
}

function withLine({ smallest: { header, lines } }: Search, index: number, field: string, value: unknown): Fixture {
  return { header, lines: lines.map((line, at) => (at === index ? withField(line, field, value) : line)) };
}

/** Undefined takes the field away. */
function withField(line: FixtureLine, field: string, value: unknown): FixtureLine {
  const fields = Object.entries(line).flatMap(([key, before]) => {
    const after: unknown = key === field ? value : before;
    return after === undefined ? [] : [[key, after]];
  });
  return Object.fromEntries(fields) as FixtureLine;
}

function deliveriesOf(line: object): readonly number[] {
  return "deliveries" in line ? (line.deliveries as readonly number[]) : [];
}

/** Whom a line is about; undefined for what happens to the daemon, its disk or the broker. */
function peerOf(line: FixtureLine): string | undefined {
  if ("publish" in line) return line.publish;
  return "peer" in line ? line.peer : undefined;
}
