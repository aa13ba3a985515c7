/** Entry point: runs the command that argv names and sets the exit code. */
import { catchSignals, exitSoon } from "./cli/service/process-signals.ts";
import { isDebug, report } from "./cli/terminal/report.ts";

const argv = process.argv.slice(2);
const isDaemon = argv[0] === "run";
if (isDaemon) catchSignals();

try {
  // Imported here, not above, so that a missing package can be reported.
  const { program } = await import("./cli/program.ts");
  await program(argv, process.env);
} catch (thrown) {
  report(thrown, { withStack: isDebug(argv, process.env) });
  if (isDaemon) exitSoon();
}
