/** `oc-partnerd demo`: the demonstration of src/demo. */
import { Command } from "commander";
import { example } from "../terminal/flags.ts";

export function demoCommand(): Command {
  return new Command("demo")
    .description("three participants on this machine become partners, lose each other and part; ends by itself in under a minute")
    .option("--keep", "leave the three running at the end, until Ctrl-C", false)
    .addHelpText("after", example("oc-partnerd demo", "oc-partnerd demo --keep"))
    .action(async (flags: { readonly keep: boolean }) => {
      const { demo } = await import("../../demo/demo.ts");
      process.exitCode = await demo(flags);
    });
}
