/** How a command ends that could not do its job: one clear message on standard error, and the exit code of its error. */
import { CommanderError } from "commander";
import { toPartnerdError } from "../base/errors.ts";

/** Sets the exit code and prints what went wrong and the next step. commander has already printed its own errors. */
export function report(thrown: unknown): void {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? 0 : 64;
    return;
  }
  const error = toPartnerdError(thrown);
  process.exitCode = error.exitCode;
  process.stderr.write(`oc-partnerd: ${error.message}\n`);
  if (error.nextStep !== null) process.stderr.write(`  next step: ${error.nextStep}\n`);
  if (error.code === "internal" && thrown instanceof Error) process.stderr.write(`${thrown.stack}\n`);
}
