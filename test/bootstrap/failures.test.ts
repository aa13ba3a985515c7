/** The advice must match the failure. The messages are those of npm 9, 10 and 11 and apt 2.6 and 3.0. */
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { INSTALL, makeClone } from "./clone.ts";

const failsWith = (lines: string, code = 1) =>
  `[ "$1" = config ] && echo "the-$3" && exit\ncat >&2 <<'END'\n${lines}\nEND\nexit ${code}`;

/** The case, npm's output, bootstrap's explanation, and its next step. */
const NPM: [string, string, RegExp, RegExp][] = [
  [
    "no such host",
    "npm ERR! code ENOTFOUND\nnpm ERR! network request to https://r.example/nats failed, reason: getaddrinfo ENOTFOUND r.example",
    /the npm registry the-registry cannot be reached \(ENOTFOUND\)/,
    /check the network.*proxy.*mirror/,
  ],
  [
    "no name server",
    "npm error code EAI_AGAIN\nnpm error errno EAI_AGAIN",
    /cannot be reached \(EAI_AGAIN\)/,
    /check the network/,
  ],
  ["nothing listens", "npm error code ECONNREFUSED", /cannot be reached \(ECONNREFUSED\)/, /check the network/],
  ["no answer", "npm error code ETIMEDOUT\nnpm error network", /cannot be reached \(ETIMEDOUT\)/, /check the network/],
  [
    "a registry that is down",
    "npm error code E503\nnpm error 503 Service Unavailable",
    /cannot be reached \(E503\)/,
    /check the network/,
  ],
  ["a registry that wants a login", "npm error code E401", /the-registry refuses access \(E401\)/, /npm login/],
  ["a mirror with gaps", "npm error code ETARGET\nnpm error notarget", /the-registry lacks a package/, /use a complete one/],
  [
    "a proxy with its own certificate",
    "npm error code SELF_SIGNED_CERT_IN_CHAIN",
    /certificate of the-registry is not trusted/,
    /npm config set cafile/,
  ],
  ["a clock that is wrong", "npm error code CERT_NOT_YET_VALID", /not valid today/, /clock/],
  [
    "a full disk",
    "npm ERR! code ENOSPC\nnpm ERR! nospc",
    /the disk is full \(.* free on \/.*\)/,
    /free about 1 GB there and .*the-cache/,
  ],
  [
    "another user's files",
    "npm error code EACCES\nnpm error path /x",
    /npm has no permission to write \(EACCES\)/,
    /sudo chown -R .*the-cache/,
  ],
  [
    "a lock file that does not match",
    "npm error code EUSAGE\nnpm error Missing: nats@2.29.3 from lock file",
    /do not match/,
    /git checkout package.json package-lock.json/,
  ],
  [
    "a package that differs from the lock file",
    "npm error code EINTEGRITY",
    /differs from package-lock.json/,
    /npm cache clean --force/,
  ],
  [
    "a Node that is too old for npm",
    "ERROR: npm v11.0.0 is known not to run on Node.js v20.1.0.",
    /npm does not run with Node/,
    /Node 20 or newer/,
  ],
  ["a package for another machine", "npm error code EBADPLATFORM", /not made for this machine/, /x64 or arm64/],
  ["a missing compiler", "npm ERR! gyp ERR! not found: make", /tried to compile/, /ignore-scripts/],
  ["another npm in the same place", "npm error code ENOTEMPTY", /npm broke off/, /remove node_modules/],
  ["a bug in npm", "npm error Exit handler never called!", /npm broke off/, /remove node_modules/],
  ["a message without a code", "npm error network failed: ENETUNREACH", /cannot be reached/, /check the network/],
  ["anything else", "npm error code EWHATEVER", /npm ci failed \(exit code 1, EWHATEVER\)/, /read npm's message above/],
];

describe.concurrent("when npm fails", () => {
  it.each(NPM)("bootstrap recognises %s", async (_, message, what, next) => {
    using clone = makeClone();
    clone.program("npm", failsWith(message));
    const { code, stdout, stderr } = await clone.run();
    expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
    expect(stderr).toContain(message.split("\n").at(-1));
    expect(stderr).toContain(`npm's output: ${join(clone.path, ".tools/logs/npm-ci.log")}`);
    const [problem, step, ...rest] = stderr.trim().split("\n").slice(-2);
    expect(rest).toEqual([]);
    expect(problem).toMatch(what);
    expect(step).toMatch(/^bootstrap: next step: /);
    expect(step).toMatch(next);
  });

  it("bootstrap shows npm's message without its usage", async () => {
    using clone = makeClone();
    clone.program(
      "npm",
      failsWith("npm error code EUSAGE\nnpm error Invalid: nats@1.0.0\nnpm error Clean install a project\nnpm error Usage:"),
    );
    const { stderr } = await clone.run();
    expect(stderr).toContain("npm error Invalid: nats@1.0.0");
    expect(stderr).not.toContain("Usage");
  });

  it("bootstrap does not suggest the registry that is already in use", async () => {
    using clone = makeClone();
    const registry = "https://registry.npmjs.org/";
    clone.program("npm", `[ "$1" = config ] && echo ${registry} && exit\necho "npm error code E404" >&2\nexit 1`);
    expect((await clone.run()).stderr).toMatch(/lacks a package of package-lock.json \(E404\)\n.*git pull/);
  });

  it("bootstrap recognises a killed npm", async () => {
    using clone = makeClone();
    clone.program("npm", "kill -9 $$");
    expect((await clone.run()).stderr).toMatch(/npm was killed\n.*memory/);
  });

  it("bootstrap retries the next time", async () => {
    using clone = makeClone();
    clone.program("npm", failsWith("npm error code ENOTFOUND"));
    expect((await clone.run()).code).toBe(69);
    clone.program("npm", INSTALL);
    expect((await clone.run()).code).toBe(0);
  });
});

describe.concurrent("when the machine lacks something", () => {
  const oldNode = '[ "$1" = --version ] && echo v18.20.4; exit';
  const bundled = (script: string) =>
    `${INSTALL}\nrm node_modules/.bin/node\nprintf '#!/bin/sh\\n${script}\\n' >node_modules/.bin/node\nchmod +x node_modules/.bin/node`;

  it.each<[string, Record<string, string | null>, RegExp]>([
    [
      "a Node that is new enough to install",
      { node: oldNode },
      /Node 20 or newer is needed to install, but \/.*\/node is v18\.20\.4\n.*install Node 20/,
    ],
    ["npm", { npm: null }, /npm is not installed\n.*apt install npm/],
    [
      "a Node that runs here",
      { npm: bundled("exit 126") },
      /node_modules\/\.bin\/node does not run on this system\n.*install Node 24/,
    ],
    [
      "a Node that npm did not skip",
      { npm: bundled("echo 20") },
      /Node 24 is needed, but \/.* is version 20\n.*skips the package/,
    ],
    [
      "a better-sqlite3 that loads",
      { npm: `${INSTALL}\necho 'throw new Error("no binary")' >node_modules/better-sqlite3/index.js` },
      /Error: no binary[\s\S]*better-sqlite3 does not load in Node 2\d\n.*run this again/,
    ],
  ])("bootstrap reports the lack of %s", async (_, programs, message) => {
    using clone = makeClone();
    for (const [name, script] of Object.entries(programs)) clone.program(name, script);
    const { code, stderr } = await clone.run();
    expect(stderr).toMatch(message);
    expect(code).toBe(69);
  });

  it.each<[string, string, string, RegExp]>([
    [
      "an earlier sudo",
      "Permission denied",
      String(userInfo().uid),
      /in your clone but belongs to another user.*\n.*sudo chown -R "\$\(id -u\)"/,
    ],
    ["another user's clone", "Permission denied", "other", /which belongs to another user.*\n.*make your own clone/],
    ["a read-only file system", "Read-only file system", "other", /read-only file system\n.*clone to a writable directory/],
    ["a full disk", "No space left on device", "other", /the disk is full \(.*\n.*free about 1 GB/],
  ])("bootstrap recognises %s", async (_, problem, owner, message) => {
    using clone = makeClone();
    clone.program("mkdir", `echo "mkdir: cannot create directory 'x': ${problem}" >&2; exit 1`);
    clone.program("ls", `echo "drwxr-xr-x 2 ${owner} group 4096 Jan 1 00:00 x"`);
    const { code, stderr } = await clone.run();
    expect(stderr).toMatch(message);
    expect(code).toBe(69);
  });

  it("bootstrap recognises a user without a name", async () => {
    using clone = makeClone();
    clone.program("mkdir", `echo "mkdir: cannot create directory 'x': Permission denied" >&2; exit 1`);
    clone.program(
      "ls",
      `case $1 in *n*) owner=12345 ;; *) owner=12345.of.a.host ;; esac; echo "drwxr-xr-x 2 $owner 0 4096 Jan 1 00:00 x"`,
    );
    clone.program("id", `[ "$1" = -u ] && echo 12345 && exit; echo "id: cannot find name for user ID 12345" >&2; exit 1`);
    const { code, stderr } = await clone.run();
    expect(stderr).toMatch(/^bootstrap: cannot write to .* in your clone but belongs to another user/);
    expect(code).toBe(69);
  });

  // dash only says "I/O error" of what its own echo cannot write.
  it.each(["the list of processes", "the list of packages", "the stamp"])(
    "bootstrap recognises a disk that is full at %s",
    async (what) => {
      using clone = makeClone();
      if (what === "the list of processes") {
        mkdirSync(join(clone.path, ".tools"));
        symlinkSync("/dev/full", join(clone.path, ".tools/bootstrap.pids"));
      }
      if (what === "the list of packages")
        clone.program(
          "node",
          `[ "$1" = --version ] && echo v24.0.0 && exit; echo "Error: ENOSPC: no space left on device, write" >&2; exit 1`,
        );
      if (what === "the stamp")
        clone.program("npm", `${INSTALL}\nfor scratch in .tools/scratch.*; do ln -sf /dev/full "$scratch/stamp"; done`);
      const { code, stderr } = await clone.run();
      expect(stderr.trim().split("\n").slice(-2)).toEqual([
        expect.stringMatching(/^bootstrap: the disk is full \(.* free on \/.*\)$/),
        expect.stringMatching(/^bootstrap: next step: free about 1 GB there.*, then run this again\.$/),
      ]);
      expect(stderr).not.toContain("I/O error");
      expect(code).toBe(69);
    },
  );

  it.each(["package.json", "package-lock.json"])("bootstrap names a missing %s", async (name) => {
    using clone = makeClone();
    rmSync(join(clone.path, name));
    const { code, stderr } = await clone.run();
    expect(stderr).toBe(
      `bootstrap: ${clone.path} has no ${name}\nbootstrap: next step: restore it (git checkout ${name}), then run this again.\n`,
    );
    expect(code).toBe(69);
  });

  it("bootstrap names the path that blocks it", async () => {
    using clone = makeClone();
    clone.write(".tools", "a file");
    const { code, stderr } = await clone.run();
    expect(stderr).toMatch(/cannot write to \/.*\/\.tools: (File exists|Not a directory)\n.*next step: remove the obstacle/);
    expect(code).toBe(69);
  });
});

/** The case, apt's output, bootstrap's explanation, and its next step. */
const APT: [string, string, RegExp, RegExp][] = [
  [
    "no name server",
    "W: Failed to fetch http://a.example/  Temporary failure resolving 'a.example'",
    /archive cannot be reached/,
    /check the network/,
  ],
  ["a full disk", "E: You don't have enough free space... No space left on device", /the disk is full \(/, /free about 200 MB/],
  [
    "a CA that is not trusted",
    "E: Certificate verification failed: The certificate is NOT trusted.",
    /not trusted/,
    /ca-certificates/,
  ],
  ["keys that are too old", "E: The repository 'x' is not signed. NO_PUBKEY 0E98", /signature/, /debian-archive-keyring/],
  [
    "a Debian that is too old",
    "E: Can't find a source to download version '2.9' of 'nats-server:amd64'",
    /do not offer nats-server/,
    /nats\.io/,
  ],
  [
    "no permission",
    "E: Could not open file /x - open (13: Permission denied)",
    /lacks permission to read or write/,
    /permissions/,
  ],
  ["anything else", "E: Sub-process failed", /could not be fetched with apt/, /nats\.io/],
];

describe.concurrent("when nats-server is missing", () => {
  const withoutNats = { NATS_SERVER: "", BOOTSTRAP_SERVER_DIRS: "" };

  it.each(APT)("bootstrap recognises %s", async (_, message, what, next) => {
    using clone = makeClone();
    clone.program("apt-get", failsWith(message, 100));
    clone.program("dpkg-deb", "exit 2");
    const { code, stderr } = await clone.run(withoutNats);
    expect(stderr).toContain(`apt's output: ${join(clone.path, ".tools/logs/apt.log")}`);
    const [problem, step] = stderr.trim().split("\n").slice(-2);
    expect(problem).toMatch(what);
    expect(step).toMatch(next);
    expect(code).toBe(69);
  });

  it("bootstrap unpacks Debian's package, with separate lists if the system has none", async () => {
    using clone = makeClone();
    const download = `case "$*" in *lists*download*) touch nats-server_1_any.deb ;; *download*) exit 100 ;; esac`;
    clone.program("apt-get", download);
    clone.program(
      "dpkg-deb",
      `mkdir -p "$3/usr/sbin" && printf '#!/bin/sh\\necho nats-server: v2.99\\n' >"$3/usr/sbin/nats-server"`,
    );
    const { code, stderr } = await clone.run(withoutNats);
    expect(stderr).toMatch(
      /fetching nats-server into .*\/\.tools\/bin: [\s\S]*nats-server: v2\.99, in \d+ s\nbootstrap: ready\n$/,
    );
    expect(code).toBe(0);
    expect(await clone.run(withoutNats)).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("bootstrap reports a NATS_SERVER that is not a program", async () => {
    using clone = makeClone();
    expect((await clone.run({ NATS_SERVER: "/no/such" })).stderr).toMatch(/NATS_SERVER=\/no\/such is not executable\n.*unset it/);
  });
});
