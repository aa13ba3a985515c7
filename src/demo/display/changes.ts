/** What happened between two states, a line each: the picture for where there is no terminal to draw it on. Pure. */
import { secondsText } from "../../base/units.ts";
import { type DemoState, NAMES, PAIRS, type StepState, viewOf } from "../state.ts";

export function changes(before: DemoState, after: DemoState): readonly string[] {
  return [...nodeChanges(before, after), ...streamChanges(before, after), ...stepChanges(before, after)].map(
    (line) => `${secondsText(after.elapsedMs).padStart(7)}  ${line}`,
  );
}

function stepChanges(before: DemoState, after: DemoState): readonly string[] {
  return after.steps.filter(({ state }, index) => state !== before.steps[index]?.state).map(stepLine);
}

function stepLine({ title, state, elapsedMs, missing }: StepState): string {
  switch (state) {
    case "waiting":
      return `· ${title}`;
    case "running":
      return `▸ ${title}`;
    case "done":
      return `✓ ${title} (${secondsText(elapsedMs)})`;
    case "failed":
      return `✗ ${title}: ${missing ?? "failed"}`;
  }
}

function nodeChanges(before: DemoState, after: DemoState): readonly string[] {
  return NAMES.flatMap((name) => {
    const { process } = after.nodes[name];
    return process === before.nodes[name].process ? [] : [`    ${name} is ${process}`];
  });
}

/** A node that cannot be asked has no news. */
function streamChanges(before: DemoState, after: DemoState): readonly string[] {
  return PAIRS.flatMap(([at, of]) => {
    const [was, is] = [viewOf(before.nodes, at, of), viewOf(after.nodes, at, of)];
    if (is === undefined) return [];
    const error = is.lastError === null || is.phase === "established" ? "" : ` (${is.lastError.code})`;
    const facts: readonly (readonly [string, string | undefined, string])[] = [
      [`${at} desires ${of} as`, was?.relation ?? undefined, is.relation ?? "-"],
      [`${at} -> ${of}`, was?.phase, `${is.phase}${error}`],
      [`${at} <- ${of}`, inbound(was), inbound(is) ?? "-"],
    ];
    const phaseKept = was?.phase === is.phase;
    return facts.flatMap(([what, old, now], index) =>
      (index === 1 ? phaseKept : old === now) ? [] : [`    ${what}: ${old === undefined ? "" : `${old}, now `}${now}`],
    );
  });
}

function inbound(view: ReturnType<typeof viewOf>): string | undefined {
  return view === undefined ? undefined : view.inbound === null ? "closed" : "established";
}
