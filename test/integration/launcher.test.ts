import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";

const NO_DEBUGGER = "--disable-sigusr1";
const GC_FLAGS = ["--max-semi-space-size=8", "--initial-old-space-size=64", "--heap-growing-percent=50"] as const;

const LAUNCHER = fileURLToPath(new URL("../../bin/oc-partnerd", import.meta.url));

function write(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode });
}

/** An installation whose program prints its Node, that Node's flags and its arguments, with a `node` on PATH and one in node_modules as given. */
function install(root: string, nodes: { onPath: string; bundled?: string }) {
  const fakeNode = (version: string, name: string) =>
    `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\nflags=\nwhile :; do case $1 in --*) flags="$flags $1"; shift ;; *) break ;; esac; done\nshift\nprintf '%s\\n' ${name} $flags "$@"\n[ "$1" != how ] || echo "$OC_PARTNERD_COMMAND"\n`;
  mkdirSync(join(root, "bin"));
  copyFileSync(LAUNCHER, join(root, "bin/oc-partnerd"));
  write(join(root, "src/main.ts"), "");
  write(join(root, "path/node"), fakeNode(nodes.onPath, "installed"), 0o755);
  if (nodes.bundled !== undefined) {
    write(join(root, "node_modules/.bin/node"), fakeNode(nodes.bundled, "bundled"), 0o755);
    mkdirSync(join(root, "node_modules/better-sqlite3"));
  }
  return (program: string, ...args: string[]) => {
    const env = { PATH: `${join(root, "path")}:/usr/bin:/bin` };
    const { status, stdout, stderr } = spawnSync(program, args, { cwd: "/", env, encoding: "utf8" });
    return { status, lines: stdout.split("\n").slice(0, -1), stderr };
  };
}

describe("bin/oc-partnerd", () => {
  it.each([
    ["the installed Node if it is new enough", "v24.0.0", "v24.21.0", "installed"],
    ["the installed Node if it is newer", "v100.1.0", "v24.21.0", "installed"],
    ["the bundled Node if the installed one is too old", "v9.11.2", "v24.21.0", "bundled"],
  ])("uses %s", (_, onPath, bundled, expected) => {
    using root = temporaryDirectory();
    const run = install(root.path, { onPath, bundled });
    expect(run(join(root.path, "bin/oc-partnerd"), "run", "--name", "two words", "").lines).toEqual([
      expected,
      NO_DEBUGGER,
      ...GC_FLAGS,
      "run",
      "--name",
      "two words",
      "",
    ]);
  });

  it("uses the bundled Node even if npm 9 did not create the link", () => {
    using root = temporaryDirectory();
    const run = install(root.path, { onPath: "v20.19.2", bundled: "v24.21.0" });
    mkdirSync(join(root.path, "node_modules/node-linux-any/bin"), { recursive: true });
    renameSync(join(root.path, "node_modules/.bin/node"), join(root.path, "node_modules/node-linux-any/bin/node"));
    expect(run(join(root.path, "bin/oc-partnerd"), "run").lines).toEqual(["bundled", NO_DEBUGGER, ...GC_FLAGS, "run"]);
  });

  it("works through absolute and relative symbolic links", () => {
    using root = temporaryDirectory();
    const run = install(root.path, { onPath: "v24.0.0", bundled: "v24.0.0" });
    symlinkSync(join(root.path, "bin/oc-partnerd"), join(root.path, "absolute"));
    mkdirSync(join(root.path, "elsewhere"));
    symlinkSync("../absolute", join(root.path, "elsewhere/relative"));
    expect(run(join(root.path, "elsewhere/relative"), "status")).toMatchObject({
      status: 0,
      lines: ["installed", NO_DEBUGGER, "status"],
    });
  });

  it("leaves the flags of the operator's NODE_OPTIONS in force", () => {
    using root = temporaryDirectory();
    const probe = join(root.path, "probe.mjs");
    const printed = "JSON.stringify([getHeapStatistics().heap_size_limit, process.execArgv])";
    write(probe, `import { getHeapStatistics } from "node:v8"; console.log(${printed}); process.exit();`);
    const started = (...flags: string[]) => {
      const env = { ...process.env, NODE_OPTIONS: [...flags, `--import=${probe}`].join(" ") };
      const { stdout } = spawnSync(LAUNCHER, ["run"], { env, encoding: "utf8" });
      const [limitBytes, given] = JSON.parse(stdout) as [number, string[]];
      return { limitBytes, given };
    };
    const ours = started("--max-old-space-size=256");
    expect(ours.given).toEqual([NO_DEBUGGER, ...GC_FLAGS]);
    expect(ours.limitBytes).toBeLessThan(300 * 1_048_576);
    for (const flag of ["--max-semi-space-size=32", "--max_semi_space_size=32"]) {
      const theirs = started("--max-old-space-size=256", flag);
      expect(theirs.given).toEqual([NO_DEBUGGER, ...GC_FLAGS.slice(1)]);
      // The limit includes three semispaces.
      expect(theirs.limitBytes - ours.limitBytes).toBe(3 * (32 - 8) * 1_048_576);
    }
  });

  it("tells the program how it was started: by its path, or by name if it is on PATH", () => {
    using root = temporaryDirectory();
    const run = install(root.path, { onPath: "v24.0.0", bundled: "v24.0.0" });
    const launcher = join(root.path, "bin/oc-partnerd");
    expect(run(launcher, "how").lines.at(-1)).toBe(launcher);
    symlinkSync(launcher, join(root.path, "path/oc-partnerd"));
    expect(run("oc-partnerd", "how").lines.at(-1)).toBe("oc-partnerd");
  });

  it.each([
    [
      "no Node is new enough",
      { onPath: "v20.1.0", bundled: "v22.0.0" },
      /Node 24 or newer is required \(.*\/node is v20\.1\.0\)/,
    ],
    ["the packages are missing", { onPath: "v24.0.0" }, /packages are missing/],
  ])("exits 69 and names the next step if %s", (_, nodes, message) => {
    using root = temporaryDirectory();
    const { status, lines, stderr } = install(root.path, nodes)(join(root.path, "bin/oc-partnerd"), "run");
    expect({ status, lines }).toEqual({ status: 69, lines: [] });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/scripts\/bootstrap/);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
