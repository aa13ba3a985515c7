/** Places in source files that no run reached, and the reasons for them. Pure. */

/** The code that worlds should reach: reconciler, ingest, p2p and the store's write path. */
const SCOPE = ["src/reconciler/", "src/ingest/", "src/p2p/", "src/store/write/", "src/store/sql/statements/"];

export function isInScope(file: string): boolean {
  return file.endsWith(".ts") && SCOPE.some((directory) => file.startsWith(directory));
}

/** Consecutive lines that were not reached, or not all of them. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly lines: number;
  /** The first line, without indentation. */
  readonly text: string;
}

/** Why a place is not reached. */
export interface Reason {
  /** A file, or a directory with a slash at its end. */
  readonly file: string;
  /** The first line of the place, without indentation, or its beginning; undefined for every place in the file. */
  readonly text?: string;
  readonly why: string;
}

/** `characters`: as in Reached; undefined if the file was never loaded. */
export function placesOf(file: string, source: string, characters: Uint8Array | undefined): readonly Place[] {
  if (characters === undefined)
    return isOnlyTypes(source) ? [] : [{ file, line: 1, lines: source.split("\n").length - 1, text: WHOLE }];
  const code = withoutComments(source);
  const places: { file: string; line: number; lines: number; text: string }[] = [];
  let offset = 0;
  for (const [index, line] of code.split("\n").entries()) {
    const isMissed = [...line.matchAll(/\w+/g)].some((word) => characters[offset + word.index] !== 1);
    offset += line.length + 1;
    if (!isMissed) continue;
    const last = places.at(-1);
    if (last !== undefined && last.line + last.lines === index + 1) last.lines += 1;
    else places.push({ file, line: index + 1, lines: 1, text: line.trim() });
  }
  return places;
}

const WHOLE = "never loaded";

/** Comments become blanks, so that offsets stay. */
function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, (comment) => comment.replaceAll(/[^\n]/g, " "));
}

/** A module of types alone leaves nothing to run. */
function isOnlyTypes(source: string): boolean {
  return !/^(export )?(async )?(const|let|class|function|abstract class)\b/m.test(source);
}

/** The beginning of a reason for code that some runs reach. It is not stale if these did, but must fit a line. */
export const RARE = "Rare: ";

export interface Explained {
  readonly explained: readonly { readonly place: Place; readonly reason: Reason }[];
  readonly unexplained: readonly Place[];
  /** Reasons that fit no place: the code has changed, or is reached now. Rare ones only if the code has changed. */
  readonly stale: readonly Reason[];
}

/** Those whose line or file is not there any more. `sources`: by path. */
export function goneFrom(reasons: readonly Reason[], sources: ReadonlyMap<string, string>): readonly Reason[] {
  const files = [...sources.keys()];
  const lines = new Map([...sources].map(([file, source]) => [file, source.split("\n").map((line) => line.trim())]));
  return reasons.filter(({ file, text }) => {
    if (text === undefined) return !files.some((path) => isWithin(file, path));
    return !(lines.get(file)?.some((line) => line.startsWith(text)) ?? false);
  });
}

/** `sources`: those of the places, and of the reasons. */
export function explain(places: readonly Place[], reasons: readonly Reason[], sources: ReadonlyMap<string, string>): Explained {
  const used = new Set<Reason>();
  const explained: { place: Place; reason: Reason }[] = [];
  const unexplained: Place[] = [];
  for (const place of places) {
    const reason = reasons.find((one) => fits(one, place));
    if (reason === undefined) unexplained.push(place);
    else {
      used.add(reason);
      explained.push({ place, reason });
    }
  }
  const gone = new Set(goneFrom(reasons, sources));
  const stale = reasons.filter((reason) => gone.has(reason) || (!used.has(reason) && !reason.why.startsWith(RARE)));
  return { explained, unexplained, stale };
}

/** Whether every place has a reason, and every reason still fits. */
export function isComplete({ unexplained, stale }: Explained): boolean {
  return unexplained.length === 0 && stale.length === 0;
}

function fits({ file, text }: Reason, place: Place): boolean {
  return isWithin(file, place.file) && (text === undefined || place.text.startsWith(text));
}

/** `file`: of a reason. */
function isWithin(file: string, path: string): boolean {
  return file.endsWith("/") ? path.startsWith(file) : path === file;
}
