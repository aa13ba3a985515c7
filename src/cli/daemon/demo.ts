/** `oc-partnerd demo`: runs the demo in src/demo. */
import { Command } from "commander";
import { example } from "../terminal/flags.ts";

export function demoCommand(): Command {
  return new Command("demo")
    .description("run three participants on this machine that become partners, lose each other and part (takes under a minute)")
    .option("--keep", "keep the participants running at the end, until Ctrl-C", false)
    .addHelpText("after", example("oc-partnerd demo", "oc-partnerd demo --keep"))
    .action(async (flags: { readonly keep: boolean }) => {
      const { demo } = await import("../../demo/demo.ts");
      process.exitCode = await demo(flags);
    });
}
