/** What is wrong with a log, and where. */
import { messageOf, PartnerdError } from "../../base/errors.ts";

export interface Finding {
  /** A row, a page, a file: `event_log row 17`, `page 12`, `peer_status_row 12D3…`. */
  readonly place: string;
  readonly problem: string;
}

export function sentenceOf({ place, problem }: Finding): string {
  return `${place}: ${problem}`;
}

/** A row of the log, as a place. */
export function rowPlace(seq: number, lastSeq = seq): string {
  return seq === lastSeq ? `event_log row ${seq}` : `event_log rows ${seq} to ${lastSeq}`;
}

const MOST_OF_AN_ASPECT = 100;

/** What a check has found so far: a bounded number of each aspect, since a damaged file may hold a million broken rows. */
export class Findings {
  readonly #found: Finding[] = [];
  readonly #counts = new Map<string, number>();

  /** In the order in which they were found; what is left out is counted at the end. */
  all(): readonly Finding[] {
    const leftOut = [...this.#counts].filter(([, count]) => count > MOST_OF_AN_ASPECT);
    const more = leftOut.map(([place, count]) => ({
      place,
      problem: `${count - MOST_OF_AN_ASPECT} more findings are left out here`,
    }));
    return [...this.#found, ...more];
  }

  /** Takes what `look` finds of `aspect`, such as "chain"; that it fails is a finding too, and what it found before stays. */
  take(aspect: string, look: () => Iterable<Finding>): void {
    try {
      for (const finding of look()) {
        const count = (this.#counts.get(aspect) ?? 0) + 1;
        this.#counts.set(aspect, count);
        if (count <= MOST_OF_AN_ASPECT) this.#found.push(finding);
      }
    } catch (thrown) {
      this.#found.push({ place: aspect, problem: `cannot be checked: ${messageOf(thrown)}` });
    }
  }
}

const MOST_SHOWN = 5;

/** Throws `check_failed` with the first findings, if there are any. */
export function refuseUnsound(
  { file, findings }: { readonly file: string; readonly findings: readonly Finding[] },
  nextStep: string,
): void {
  if (findings.length === 0) return;
  const shown = findings.slice(0, MOST_SHOWN).map(sentenceOf);
  const more = findings.length > MOST_SHOWN ? [`and ${findings.length - MOST_SHOWN} more`] : [];
  throw new PartnerdError("check_failed", `${file} is not sound: ${[...shown, ...more].join("; ")}`, { nextStep });
}
