/** The lines that `probe` prints. Pure. */
import { printable } from "../../base/units.ts";
import type { ProbedStep } from "../../daemon/far-end-probe.ts";
import type { Env } from "../terminal/flags.ts";

type Marks = Readonly<Record<ProbedStep["mark"], string>>;

const SYMBOLS: Marks = { ok: "√", note: "‼", fault: "×" };
const WORDS: Marks = { ok: "ok  ", note: "note", fault: "FAIL" };

/** Symbols if the locale is UTF-8, else words. */
export function marksFor({ LC_ALL: all, LC_CTYPE: ctype, LANG: lang }: Env): Marks {
  const locale = [all, ctype, lang].find((value) => value !== undefined && value !== "") ?? "";
  return /utf-?8/i.test(locale) ? SYMBOLS : WORDS;
}

const LABELS: Readonly<Record<ProbedStep["step"], string>> = {
  address: "address",
  dial_policy: "dial policy",
  tcp: "TCP",
  psk: "PSK",
  noise: "noise",
  muxer: "muxer",
  identify: "identify",
  protocols: "protocols",
  heartbeat: "heartbeat",
  challenge: "challenge",
  echo: "echo",
  limits: "limits",
};

const LABEL_COLUMNS = Math.max(...Object.values(LABELS).map(({ length }) => length));

/** One line for the step, and one below it for what to change. Text of the far end is escaped. */
export function probeLine({ step, mark, message, advice }: ProbedStep, marks: Marks): string {
  const head = `${marks[mark]} ${LABELS[step].padEnd(LABEL_COLUMNS)}  `;
  const below = advice === null ? "" : `\n${" ".repeat(head.length)}${printable(advice)}`;
  return `${head}${printable(message)}${below}`;
}

/** The last line. */
export function probeClosing(works: boolean, steps: readonly ProbedStep[]): string {
  if (works) return "\na partner stream would work";
  const faults = steps.filter(({ mark }) => mark === "fault").map(({ step }) => LABELS[step]);
  return `\na partner stream would not work: ${faults.join(", ")}`;
}
