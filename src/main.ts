/** Entry point: runs the command that argv names and sets the exit code. */
import { program } from "./cli/program.ts";
import { report } from "./cli/terminal/report.ts";

try {
  await program(process.argv.slice(2), process.env);
} catch (thrown) {
  report(thrown);
}
