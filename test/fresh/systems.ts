/** The minimal systems that a newcomer may have, each built once and kept in the user's cache. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "./run-to-end.ts";

export interface System {
  readonly name: string;
  readonly title: string;
  /** Whether `npm test` also runs here; once is enough. */
  readonly isTested: boolean;
}

export const SYSTEMS: readonly System[] = [
  { name: "debian-12", title: "Debian 12", isTested: true },
  { name: "debian-13", title: "Debian 13", isTested: false },
];

const HERE = import.meta.dirname;
const CACHE = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "oc-partnerd", "fresh");
const KEPT_DAYS = 30;

/** Null, or why no system can be created here. */
export function whyNoSystems(): string | null {
  if (process.getuid?.() !== 0) return "this process is not root";
  if (spawnSync("unshare", ["--mount", "--pid", "--fork", "--mount-proc", "true"]).status !== 0)
    return "this process cannot create namespaces";
  if (spawnSync("sh", ["-c", "command -v mmdebstrap"]).status === 0) return null;
  process.stdout.write("mmdebstrap is missing; installing it with apt-get, on this machine\n");
  const install = "apt-get -q update && apt-get -q install --yes --no-install-recommends mmdebstrap";
  const { status, stderr } = spawnSync("sh", ["-c", install], {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
  return status === 0 ? null : `mmdebstrap is missing and cannot be installed: ${stderr.trim().split("\n").at(-1)}`;
}

/** The path of a system's archive, which is built if the cache lacks it. Rejects with the reason if that fails. */
export async function archiveOf({ name, title }: System): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const recipe = createHash("sha256");
  for (const script of ["make-system", "customize-system"]) recipe.update(readFileSync(join(HERE, script)));
  const month = Math.floor(Date.now() / (KEPT_DAYS * 86_400_000));
  const path = join(CACHE, `${name}-${recipe.digest("hex").slice(0, 12)}-${month}.tar`);
  if (existsSync(path)) return path;
  for (const old of readdirSync(CACHE)) if (old.startsWith(`${name}-`)) rmSync(join(CACHE, old), { recursive: true });
  process.stdout.write(`building a minimal ${title} (${path})\n`);
  const { code, stderr } = await runToEnd(["sh", join(HERE, "make-system"), name, path], { stderr: "pipe" });
  if (code !== 0) throw new Error(stderr.trim() || "make-system was killed");
  return path;
}

/** Creates a directory for one run, and removes those of killed runs. */
export function runDirectory(runs = join(CACHE, "runs")): Disposable & { readonly path: string } {
  mkdirSync(runs, { recursive: true });
  for (const pid of readdirSync(runs)) if (!existsSync(`/proc/${pid}`)) rmSync(join(runs, pid), { recursive: true, force: true });
  const path = join(runs, String(process.pid));
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
