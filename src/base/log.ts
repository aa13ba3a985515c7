/** Logging: one JSON object per line, or human-readable lines on a terminal. */
import { pino, stdTimeFunctions } from "pino";
import { stackOf, toPartnerdError } from "./errors.ts";
import { printable, printableJson } from "./units.ts";

/** Where a fault of this program happened. */
export const FAULT_PARTS = ["reconciler", "streams", "ingest", "log", "nats", "http", "process"] as const;
export type FaultPart = (typeof FAULT_PARTS)[number];

/** The logger interface that the program uses; pino implements it. */
export interface Logger {
  /** Logs a fault of this program, with its stack. Call it once for each. */
  fault(part: FaultPart, thrown: unknown, fields?: object): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Discards everything. For the demo, commands and benchmarks, which print their own output. */
export const silentLogger: Logger = { fault: () => {}, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "auto" | "json" | "human";
  /** For human lines; default false. */
  readonly coloured?: boolean;
  /** Takes each line, with its line feed. Never throws. */
  readonly write: (line: string) => void;
}

/** True if `out` is a terminal that shows colours, and the user did not forbid them with NO_COLOR (https://no-color.org). */
export function showsColours(
  out: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return out.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}

/** The format `auto` means human if standard output is a terminal, and JSON otherwise. */
export function createLogger({ write, ...options }: LogOptions): Logger {
  const human = options.format === "human" || (options.format === "auto" && process.stdout.isTTY);
  const settings = {
    level: options.level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: { streamWrite: printableJson },
  };
  const coloured = options.coloured ?? false;
  const lines = pino(settings, { write: human ? (line: string) => write(`${humanLine(line, coloured)}\n`) : write });
  return {
    debug: (fields, message) => lines.debug(fields, message),
    info: (fields, message) => lines.info(fields, message),
    warn: (fields, message) => lines.warn(fields, message),
    error: (fields, message) => lines.error(fields, message),
    fault: (part, thrown, fields) => lines.error(faultFields(part, thrown, fields), "internal error"),
  };
}

/** The fields of the line that reports a fault. */
export function faultFields(part: FaultPart, thrown: unknown, fields: object = {}): object {
  const { code, message, stack } = toPartnerdError(thrown);
  return { part, ...fields, code, error: message, stack: thrown instanceof Error ? stackOf(thrown) : stack };
}

/** `logger`, also calling `count` for each fault. */
export function countingFaults(logger: Logger, count: (part: FaultPart) => void): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    fault: (part, thrown, fields) => {
      count(part);
      logger.fault(part, thrown, fields);
    },
  };
}

const COLOURS: Readonly<Record<string, string>> = { debug: "2", info: "36", warn: "33", error: "31" };

/** Formats a JSON log line as `14:03:07.123 info  message  field=value …`. Returns other text unchanged. */
export function humanLine(line: string, coloured: boolean): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return printable(line.trimEnd());
  }
  const { level, time, msg, ...rest } = fields;
  const label = String(level).padEnd(5);
  const painted = coloured ? `\u001b[${COLOURS[String(level)] ?? "0"}m${label}\u001b[0m` : label;
  const message = typeof msg === "string" ? printable(msg) : "";
  const details = Object.entries(rest).map(([key, value]) => `${key}=${detail(value)}`);
  return [String(time).slice(11, 23), painted, message, ...details].filter((part) => part !== "").join(" ");
}

function detail(value: unknown): string {
  return typeof value === "string" && /^[^\s"]+$/.test(value) ? printable(value) : printable(JSON.stringify(value));
}
