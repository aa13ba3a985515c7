/** Reports why a command failed. Imports no packages, because a missing package is one of the reasons. */
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { messageOf, toPartnerdError } from "../../base/errors.ts";
import { withoutUserInfo } from "../../base/secrets/shown.ts";
import { printableLines } from "../../base/units.ts";
import { copyable } from "./command-line.ts";

interface DebugEnv {
  readonly OCPARTNERD_DEBUG?: string | undefined;
  readonly OCPARTNERD_LOG_LEVEL?: string | undefined;
}

/** True if the user asked for debugging output: `--log-level debug`, OCPARTNERD_LOG_LEVEL=debug or OCPARTNERD_DEBUG. */
export function isDebug(
  argv: readonly string[],
  { OCPARTNERD_DEBUG: debug = "", OCPARTNERD_LOG_LEVEL: level }: DebugEnv,
): boolean {
  const flag = argv.indexOf("--log-level");
  const hasFlag = argv.includes("--log-level=debug") || (flag !== -1 && argv[flag + 1] === "debug");
  return (debug !== "" && debug !== "0") || hasFlag || level === "debug";
}

/**
 * Prints the error and the next step to standard error, and sets the exit code. `withStack` adds the stack and the causes of an
 * internal error. Commander has already printed its own errors, and the help that was asked for.
 */
export function report(thrown: unknown, { withStack }: { readonly withStack: boolean } = { withStack: true }): void {
  if (isCommanderError(thrown)) {
    process.exitCode = thrown.exitCode === 0 ? 0 : 64;
    return;
  }
  const error = toPartnerdError(thrown);
  const isIncomplete = isIncompleteInstall(thrown);
  process.exitCode = isIncomplete ? 69 : error.exitCode;
  if (isIncomplete) {
    const [reason] = messageOf(thrown).split("\n");
    process.stderr.write(`oc-partnerd: cannot load a package (${reason}); run 'sh ${BOOTSTRAP}' to install what is missing\n`);
  } else {
    const isBug = error.code === "internal_error";
    const nextStep =
      error.nextStep ?? (isBug && !withStack ? "set OCPARTNERD_DEBUG=1 to see the stack, and report this bug" : null);
    process.stderr.write(`oc-partnerd: ${isBug ? "internal error: " : ""}${printableLines(withoutUserInfo(error.message))}\n`);
    if (nextStep !== null) process.stderr.write(`  next step: ${printableLines(copyable(nextStep))}\n`);
  }
  if (withStack && (isIncomplete || error.code === "internal_error"))
    process.stderr.write(`${printableLines(inspect(thrown))}\n`);
}

const BOOTSTRAP = fileURLToPath(new URL("../../../scripts/bootstrap", import.meta.url));

/** A package or its native code is missing, or was built for another Node. */
const LOAD_FAILURES: readonly unknown[] = ["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"];

function isCommanderError(thrown: unknown): thrown is Error & { readonly exitCode: number } {
  return thrown instanceof Error && "code" in thrown && String(thrown.code).startsWith("commander.") && "exitCode" in thrown;
}

function isIncompleteInstall(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && LOAD_FAILURES.includes(thrown.code);
}
