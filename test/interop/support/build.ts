/** Builds the Go partners once for all test files. Without Go the tests are skipped. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { VERSIONS } from "./versions.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Directory of the built partners, named by version; null without Go. */
    partners: string | null;
  }
}

export default function build({ provide }: TestProject): () => void {
  if (spawnSync("go", ["version"]).status !== 0) {
    process.stderr.write("Go is not installed: the interop tests are skipped\n");
    provide("partners", null);
    return () => {};
  }
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-interop-"));
  const cwd = join(import.meta.dirname, "..", "go-partner");
  for (const { name, goMod } of VERSIONS)
    execFileSync("go", ["build", `-modfile=${goMod}`, "-o", join(directory, name), "."], { cwd, stdio: "inherit" });
  provide("partners", directory);
  return () => rmSync(directory, { recursive: true, force: true });
}
