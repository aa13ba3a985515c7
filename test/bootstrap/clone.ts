/** A clone that contains only scripts/bootstrap, with the test's own programs first on PATH. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryDirectory } from "../store/support/temporary-store.ts";

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly process: ChildProcess;
  /** All output so far. */
  readonly printed: () => string;
  readonly result: Promise<Run>;
}

export interface Clone extends Disposable {
  readonly path: string;
  /** Puts a shell script on PATH, or removes the program of that name. */
  program(name: string, script: string | null): void;
  write(path: string, content: string): void;
  start(env?: Readonly<Record<string, string>>, command?: readonly string[]): Started;
  run(env?: Readonly<Record<string, string>>, command?: readonly string[]): Promise<Run>;
}

/** The only programs of this machine on PATH. Others, such as npm and nats-server, are not found. */
const TOOLS =
  "awk cat chmod cksum cut date df dirname du env find flock grep head id ln ls mkdir mv paste readlink rm script sed sh sleep tail touch tr uname wc".split(
    " ",
  );

const PACKAGES = ["better-sqlite3", "left-pad", "nats"];
const asLocked = Object.fromEntries(PACKAGES.map((name) => [`node_modules/${name}`, { version: "1.0.0" }]));

/** Installs like npm: packages with a package.json, including the one that bootstrap loads, and this process's Node. */
export const INSTALL = `
for name in ${PACKAGES.join(" ")}; do mkdir -p node_modules/$name && echo '{}' >node_modules/$name/package.json; done
echo 'module.exports = class { prepare() { return { get() {} }; } };' >node_modules/better-sqlite3/index.js
mkdir -p node_modules/.bin && ln -sf ${process.execPath} node_modules/.bin/node
echo '${JSON.stringify({ packages: asLocked })}' >node_modules/.package-lock.json
`;

const DEPENDENCIES = { "better-sqlite3": "1.0.0", nats: "1.0.0" };
const LOCK = {
  packages: {
    "": { dependencies: DEPENDENCIES },
    ...asLocked,
    "node_modules/node-linux-elsewhere": { version: "24.99.0", os: "no-such-system", optional: true },
    "node_modules/of-that-other": { version: "1.0.0", optional: true },
  },
};

/** Shell code for a program: waits until the test writes the file `go`. */
export const AWAIT_GO = "until [ -e go ]; do sleep 0.1; done";

/** An npm that records its arguments and installs. */
const NPM = `[ "$1" = config ] && echo "the-$3" && exit; echo "$*" >>npm-calls\n${INSTALL}`;

export function makeClone(): Clone {
  const root = temporaryDirectory();
  const path = join(root.path, "clone");
  const programs = join(root.path, "programs");
  const write = (name: string, content: string, mode = 0o644) => {
    mkdirSync(dirname(name), { recursive: true });
    writeFileSync(name, content, { mode });
  };
  cpSync(join(import.meta.dirname, "../../scripts"), join(path, "scripts"), { recursive: true });
  write(join(path, "package.json"), JSON.stringify({ dependencies: DEPENDENCIES }));
  write(join(path, "package-lock.json"), JSON.stringify(LOCK, null, 2));
  mkdirSync(programs);
  for (const tool of TOOLS) {
    const program = ["/usr/bin", "/bin"].map((directory) => join(directory, tool)).find((candidate) => existsSync(candidate));
    if (program !== undefined) symlinkSync(program, join(programs, tool));
  }
  symlinkSync(process.execPath, join(programs, "node"));
  write(join(programs, "npm"), `#!/bin/sh\n${NPM}`, 0o755);
  const clone: Clone = {
    path,
    program: (name, script) => {
      rmSync(join(programs, name), { force: true });
      if (script !== null) write(join(programs, name), `#!/bin/sh\n${script}\n`, 0o755);
    },
    write: (name, content) => write(join(path, name), content),
    start: (env = {}, command = ["sh", "scripts/bootstrap"]) => {
      const [program = "", ...args] = command;
      const child = spawn(join(programs, program), args, {
        cwd: path,
        env: { PATH: programs, NATS_SERVER: "/bin/true", HOME: root.path, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const output = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const)
        child[name].setEncoding("utf8").on("data", (chunk: string) => {
          output[name] += chunk;
        });
      const closed = once(child, "close") as Promise<[number | null]>;
      return {
        process: child,
        printed: () => output.stdout + output.stderr,
        result: closed.then(([code]) => ({ code, ...output })),
      };
    },
    run: (env, command) => clone.start(env, command).result,
    [Symbol.dispose]: () => root[Symbol.dispose](),
  };
  return clone;
}
