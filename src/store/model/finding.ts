/** A problem found in a log, and its place. */
import { messageOf, PartnerdError } from "../../base/errors.ts";

export interface Finding {
  /** A row, a page, a file: `event_log row 17`, `page 12`, `peer_status_row 12D3…`. */
  readonly place: string;
  readonly problem: string;
}

export function sentenceOf({ place, problem }: Finding): string {
  return `${place}: ${problem}`;
}

/** A claim of a log that only a record outside its file can confirm or refute. */
export interface UnprovenClaim {
  /** As in a Finding. */
  readonly place: string;
  /** The claim, and what could be wrong with it. */
  readonly claim: string;
  /** The record that can tell, and how to ask it. */
  readonly witness: string;
}

export function claimSentenceOf({ place, claim, witness }: UnprovenClaim): string {
  return `${place}: ${claim}; ${witness}`;
}

/** Names a row of the log, or several. */
export function rowPlace(seq: number, lastSeq = seq): string {
  return seq === lastSeq ? `event_log row ${seq}` : `event_log rows ${seq} to ${lastSeq}`;
}

const MOST_OF_AN_ASPECT = 100;

/** Collects findings, up to a limit per aspect, since a damaged file may have a million broken rows. */
export class Findings {
  readonly #found: Finding[] = [];
  readonly #counts = new Map<string, number>();

  /** In the order in which they were found, then the number of those omitted per aspect. */
  all(): readonly Finding[] {
    const leftOut = [...this.#counts].filter(([, count]) => count > MOST_OF_AN_ASPECT);
    const more = leftOut.map(([place, count]) => ({
      place,
      problem: `${count - MOST_OF_AN_ASPECT} more findings omitted`,
    }));
    return [...this.#found, ...more];
  }

  /** Collects the findings of `look` on `aspect`, for example "chain". If it throws, that is one more finding. */
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

/** The next step for a log that is not sound. `restore` has to be told which rows replace it. */
export const REPLACE_THE_LOG =
  "replace the log with a backup (`oc-partnerd restore --from FILE`) or with its provable rows (`oc-partnerd restore --from-jetstream`)";

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
