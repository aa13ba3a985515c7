import { CommanderError } from "commander";
import { stackOf, toPartnerdError } from "../../base/errors.ts";

/**
 * Reports why a command failed: prints the error and the next step to standard error, and sets the exit code. commander has already
 * printed its own errors.
 */
export function report(thrown: unknown): void {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? 0 : 64;
    return;
  }
  const error = toPartnerdError(thrown);
  process.exitCode = error.exitCode;
  process.stderr.write(`oc-partnerd: ${error.message}\n`);
  if (error.nextStep !== null) process.stderr.write(`  next step: ${error.nextStep}\n`);
  if (error.code === "internal_error") process.stderr.write(`${stackOf(error)}\n`);
}
