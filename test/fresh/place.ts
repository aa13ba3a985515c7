/** A place with a fresh clone, where commands run as a newcomer would run them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { carryAccess } from "./access.ts";
import { runToEnd } from "./run-to-end.ts";
import { archiveOf, type System } from "./systems.ts";

const REPOSITORY = join(import.meta.dirname, "../..");
const USER = "newcomer";
/** The kernel removes all mounts and processes in there when the first process exits. */
const UNSHARE = "unshare --mount --pid --ipc --fork --kill-child".split(" ");
const AS_USER = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--init-groups", "--inh-caps=-all"];
/** Makes vitest reject a forgotten `test.only`. */
const CHECKED = ["env", "CI=true"];
const IN_CLONE = ["sh", "-c", 'cd "$HOME/oc-partnerd" && exec "$@"', "sh"];

export interface Place {
  readonly title: string;
  /** The path of the clone, as seen from outside and from inside. */
  readonly outside: string;
  readonly inside: string;
  /** Resolves to the command's exit code, or null if it was killed after `timeoutMs`. */
  run(command: readonly string[], timeoutMs: number): Promise<number | null>;
  /** Resolves to the command's output. Rejects if the command fails. */
  output(command: readonly string[]): Promise<string>;
}

/** Creates a minimal system with a clone of the current commit, owned by an ordinary user. Throws if that is impossible. */
export async function freshPlace(system: System, directory: string): Promise<Place> {
  const root = join(directory, system.name);
  const home = `/home/${USER}`;
  const outside = join(root, home, "oc-partnerd");
  mkdirSync(root);
  execFileSync("tar", ["-xf", await archiveOf(system), "-C", root, "--numeric-owner"]);
  const { npmrc, env } = carryAccess(root);
  clone(outside);
  writeFileSync(join(root, home, ".npmrc"), npmrc);
  execFileSync("chroot", [root, "chown", "-R", `${USER}:${USER}`, home]);
  const login = {
    HOME: home,
    USER,
    LOGNAME: USER,
    SHELL: "/bin/bash",
    PATH: "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
    ...env,
  };
  return place(system.title, outside, join(home, "oc-partnerd"), (command) => [
    ...UNSHARE,
    "sh",
    join(import.meta.dirname, "enter-system"),
    root,
    ...AS_USER,
    "env",
    "-i",
    ...Object.entries(login).map(([name, value]) => `${name}=${value}`),
    ...IN_CLONE,
    ...command,
  ]);
}

/** A clone outside any system, with this machine's own Node, npm and packages. */
export function outsidePlace(directory: string): Place {
  const path = join(directory, "oc-partnerd");
  clone(path);
  // Remove this repository's own programs, which npm puts first on PATH.
  const PATH = (process.env["PATH"] ?? "").split(":").filter((entry) => !entry.startsWith(REPOSITORY));
  const variables = Object.keys(process.env).filter((name) => name.startsWith("npm_") || name === "INIT_CWD" || name === "NODE");
  return place(`this machine (${release()})`, path, path, (command) => [
    "env",
    "-C",
    path,
    ...variables.flatMap((name) => ["-u", name]),
    `PATH=${PATH.join(":")}`,
    ...command,
  ]);
}

function clone(path: string): void {
  const changes = execFileSync("git", ["-C", REPOSITORY, "status", "--porcelain"], { encoding: "utf8" }).trim();
  if (changes !== "") process.stdout.write(`the clone has the last commit, without these uncommitted changes:\n${changes}\n`);
  execFileSync("git", ["clone", "--quiet", "--depth=1", `file://${REPOSITORY}`, path]);
}

/** `inPlace` prefixes a command so that it runs in the place. */
export function place(title: string, outside: string, inside: string, inPlace: (command: readonly string[]) => string[]): Place {
  return {
    title,
    outside,
    inside,
    run: async (command, timeoutMs) => (await runToEnd(inPlace([...CHECKED, ...command]), { timeoutMs })).code,
    output: async (command) => {
      const { code, stdout } = await runToEnd(inPlace([...CHECKED, ...command]), { stdout: "pipe" });
      if (code !== 0) throw new Error(`${command.join(" ")}: exit code ${code}`);
      return stdout.trim();
    },
  };
}
