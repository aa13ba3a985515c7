/** What is kept or put in place has to be sound. */
import { PartnerdError } from "../../base/errors.ts";
import type { CheckReport } from "../check/check.ts";
import { sentenceOf } from "../model/finding.ts";

const MOST_SHOWN = 5;

/** Throws `check_failed` with the first findings, if there are any. */
export function refuseUnsound({ file, findings }: Pick<CheckReport, "file" | "findings">, nextStep: string): void {
  if (findings.length === 0) return;
  const shown = findings.slice(0, MOST_SHOWN).map(sentenceOf);
  const more = findings.length > MOST_SHOWN ? [`and ${findings.length - MOST_SHOWN} more`] : [];
  throw new PartnerdError("check_failed", `${file} is not sound: ${[...shown, ...more].join("; ")}`, { nextStep });
}
