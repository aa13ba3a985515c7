/** `oc-partnerd demo`: three participants on this machine become partners, lose each other and part, shown live. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deadline, systemClock, systemRandom } from "../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../base/errors.ts";
import { durationText } from "../base/units.ts";
import { createDisplay, type Display } from "./display/display.ts";
import { auditReport, endedReport, failureReport, keepReport, summaryReport } from "./display/report.ts";
import { span } from "./display/style.ts";
import { claims } from "./evidence/claims.ts";
import { auditSql, auditTrail } from "./evidence/database.ts";
import { readFacts } from "./evidence/facts.ts";
import { play } from "./play.ts";
import { Stage } from "./stage/stage.ts";
import { NAMES, perName } from "./stage/state.ts";
import { STEPS } from "./steps.ts";

/** For all steps together. The rest of a minute is for the summary and for stopping the processes. */
const LIMIT_MS = 53_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const INTERRUPTED_EXIT_CODE = 130;

/**
 * Plays the demo, on a terminal or as plain lines. Resolves to the exit code: 0 if every step succeeded and every claim of the summary
 * holds, 1 if not, 130 if interrupted. All processes that it started have exited by then; with `keep`, that is after Ctrl-C.
 */
export async function demo({ keep }: { keep: boolean }): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-demo-"));
  using display = createDisplay(process.stdout, process.env);
  using interruption = interruptions();
  process.once("exit", () => display[Symbol.dispose]());
  const succeeded = await perform(directory, keep, display, interruption.signal);
  const kept = keep || !(succeeded || interruption.signal.aborted);
  if (!kept) rmSync(directory, { recursive: true, force: true });
  const fate = kept ? "kept" : "deleted";
  display.print([[], [span(` Data directories: ${directory}/{${NAMES.join(",")}} (${fate})`, "dim")]]);
  if (succeeded) return 0;
  return interruption.signal.aborted ? INTERRUPTED_EXIT_CODE : 1;
}

/** Returns true if every step and claim succeeded. Stops every process that it started. */
async function perform(directory: string, keep: boolean, display: Display, interrupted: AbortSignal): Promise<boolean> {
  const [clock, random] = [systemClock, systemRandom];
  const broken = new AbortController();
  using limit = deadline(
    clock,
    LIMIT_MS,
    () => new PartnerdError("check_failed", `the demo took longer than ${durationText(LIMIT_MS)}`),
    AbortSignal.any([broken.signal, interrupted]),
  );
  let isKept = false;
  await using stage = new Stage({
    directory,
    clock,
    random,
    signal: limit.signal,
    onFailure: (error) => broken.abort(error),
    onExit: (participant, how) => {
      if (isKept) display.print(endedReport(participant, how));
      else broken.abort(participant.endedByItself(how));
    },
  });
  const failure = await play(STEPS, { stage, display, clock, random, signal: limit.signal });
  if (interrupted.aborted) return false;
  if (failure !== undefined) display.print(failureReport(toPartnerdError(failure)));
  const held = summarise(stage, display);
  if (keep && stage.participants.length === NAMES.length && !broken.signal.aborted) {
    // From now on the user may kill a node to see what happens, so an exit is not a failure.
    isKept = true;
    display.print(keepReport(stage.participants));
    display[Symbol.dispose]();
    const ends = AbortSignal.any([interrupted, broken.signal]);
    if (!ends.aborted) await once(ends, "abort");
    if (broken.signal.aborted) display.print(failureReport(toPartnerdError(broken.signal.reason)));
  }
  return failure === undefined && held;
}

/** Prints the audit trail and the summary. Returns true if every claim holds, false if a node never started. */
function summarise(stage: Stage, display: Display): boolean {
  const known = NAMES.every((name) => stage.nodes[name].peerId !== null);
  if (!known) return false;
  const trail = auditTrail(stage.at("lyon").directory, "paris");
  display.print(auditReport("What lyon's log says about paris", auditSql("paris"), trail, display.columns));
  const nodes = perName((name) => ({ directory: stage.at(name).directory, peerId: stage.at(name).identity.peerId }));
  const judged = claims(readFacts(nodes, systemClock));
  display.print(summaryReport(judged));
  return judged.every(({ holds }) => holds);
}

/** A signal that aborts at the first SIGINT, SIGTERM or SIGHUP. A second one exits at once, which also stops the child processes. */
function interruptions(): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE);
    controller.abort(new PartnerdError("aborted", "interrupted"));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  // The reader is gone, for example after `| head`.
  const onUnread = () => controller.abort(new PartnerdError("aborted", "standard output was closed"));
  process.stdout.on("error", onUnread);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
