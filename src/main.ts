/** argv -> command -> exit code. */
import { program, report } from "./cli/program.ts";

try {
  await program(process.argv.slice(2), process.env);
} catch (thrown) {
  report(thrown);
}
