/** The live picture: the steps, and every node's view of the others. Pure: state in, lines out. */
import { secondsText } from "../../base/units.ts";
import type { PeerView, StreamView } from "../../views/api.ts";
import { type DemoState, NAMES, type Name, type NodeState, type StepState, viewOf } from "../stage/state.ts";
import { type Line, span } from "./style.ts";

/** The minimum width of a terminal. */
export const LEAST_COLUMNS = 80;

const SIGNS = { waiting: "·", running: "▸", done: "✓", failed: "✗" } as const;
const STEP_STYLES = { waiting: "dim", running: "bold", done: "plain", failed: "red" } as const;
const SIGN_STYLES = { waiting: "dim", running: "cyan", done: "green", failed: "red" } as const;

/** The steps, with the table below them. */
export function screen(state: DemoState): readonly Line[] {
  const title: Line = [
    span(" oc-partnerd demo: three participants on this machine".padEnd(LEAST_COLUMNS - 9), "bold"),
    span(seconds(state.elapsedMs), "dim"),
  ];
  return [title, [], ...state.steps.flatMap(stepLines), [], ...nodeTable(state), [], LEGEND];
}

const LEGEND: Line = [span(" seconds: time left on the lease, or until the next attempt", "dim")];

function stepLines(step: StepState): readonly Line[] {
  const begun = step.state !== "waiting";
  const line: Line = [
    span(` ${SIGNS[step.state]} `, SIGN_STYLES[step.state]),
    span(step.title.padEnd(LEAST_COLUMNS - 12), STEP_STYLES[step.state]),
    span(begun ? seconds(step.elapsedMs) : "", "dim"),
  ];
  const told = step.missing !== null && (step.state === "running" || step.state === "failed");
  return told ? [line, [span(`     ${step.missing}`, step.state === "failed" ? "red" : "dim")]] : [line];
}

const WIDTHS = { node: 8, peer: 8, desired: 11, outbound: 17, inbound: 17, tries: 7 } as const;

function nodeTable(state: DemoState): readonly Line[] {
  const { node, peer, desired, outbound, inbound, tries } = WIDTHS;
  const header = [
    ` ${"NODE".padEnd(node)}${"PEER".padEnd(peer)}${"DESIRED".padEnd(desired)}`,
    `${"OUTBOUND".padEnd(outbound)}${"INBOUND".padEnd(inbound)}${"TRIES".padEnd(tries)}LAST ERROR`,
  ].join("");
  const rows = NAMES.flatMap((at) =>
    NAMES.filter((of) => of !== at).map((of, index) => row(state, at, of, index === 0 ? at : "")),
  );
  return [[span(header, "dim")], ...rows];
}

function row(state: DemoState, at: Name, of: Name, label: string): Line {
  const { node, peer, desired, outbound, inbound, tries } = WIDTHS;
  const names = [span(` ${label.padEnd(node)}`, "bold"), span(of.padEnd(peer))];
  const { process } = state.nodes[at];
  if (process !== "running") return [...names, span(label === "" ? "" : `${process}${PROCESS_NOTES[process]}`, "yellow")];
  const view = viewOf(state.nodes, at, of);
  if (view === undefined) return [...names, span("-", "dim")];
  return [
    ...names,
    span((view.relation ?? "-").padEnd(desired), view.standing === "partner" ? "plain" : "red"),
    span(outboundText(view, state.nowMs).padEnd(outbound), PHASE_STYLES[view.phase]),
    span(leaseText(view.inbound, state.nowMs).padEnd(inbound), view.inbound === null ? "dim" : "green"),
    span(String(view.attempts).padEnd(tries), view.attempts === 0 ? "dim" : "plain"),
    span(fitting(view.lastError?.code ?? "-"), view.lastError === null ? "dim" : "yellow"),
  ];
}

/** The columns that are left of 80 for the last error. */
const ERROR_WIDTH = 79 - Object.values(WIDTHS).reduce((sum, width) => sum + width, 0);

const fitting = (code: string) => (code.length <= ERROR_WIDTH ? code : `${code.slice(0, ERROR_WIDTH - 1)}…`);

const PROCESS_NOTES: Readonly<Record<NodeState["process"], string>> = {
  starting: "",
  running: "",
  frozen: " (SIGSTOP)",
  killed: " (SIGKILL)",
};

const PHASE_STYLES = { established: "green", opening: "cyan", backoff: "yellow", closed: "dim" } as const;

function outboundText(view: PeerView, nowMs: number): string {
  if (view.outbound !== null) return leaseText(view.outbound, nowMs);
  return view.nextAttemptAt === null ? view.phase : `${view.phase} ${secondsUntil(view.nextAttemptAt, nowMs)}`;
}

function leaseText(stream: StreamView | null, nowMs: number): string {
  return stream === null ? "-" : `established ${secondsUntil(stream.expiresAt, nowMs)}`;
}

function secondsUntil(at: string, nowMs: number): string {
  return `${Math.ceil(Math.max(0, Date.parse(at) - nowMs) / 1_000)}s`;
}

function seconds(ms: number): string {
  return secondsText(ms).padStart(7);
}
