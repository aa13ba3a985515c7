import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { until } from "../support/until.ts";
import { AWAIT_GO, INSTALL, makeClone } from "./clone.ts";

const calls = (path: string) => readFileSync(join(path, "npm-calls"), "utf8").trim().split("\n");

test("every npm script bootstraps first", () => {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const others = Object.entries(scripts).filter(([name]) => name !== "bootstrap");
  expect(others.filter(([, script]) => !script.startsWith("sh scripts/bootstrap && "))).toEqual([]);
});

describe("scripts/bootstrap", () => {
  it("reports what it installs, where, and the size, on standard error", async () => {
    using clone = makeClone();
    const { code, stdout, stderr } = await clone.run();
    expect(stderr).toMatch(
      /installing into .*\/clone\/node_modules: 3 npm packages, with Node 24\.99\.0 \(this system has Node 24\./,
    );
    expect(stderr).toMatch(/3 packages, \d+ MB, in \d+ s\nbootstrap: ready\n$/);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  });

  it("asks npm for the lock file's packages, without install scripts", async () => {
    using clone = makeClone();
    await clone.run({ npm_config_ignore_scripts: "false" });
    expect(calls(clone.path)).toEqual([
      expect.stringMatching(/^ci --ignore-scripts .*--include=dev --include=optional .*--bin-links/),
    ]);
  });

  it("prints and installs nothing the second time, and reinstalls after a change of the lock file", async () => {
    using clone = makeClone();
    await clone.run();
    expect(await clone.run()).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(calls(clone.path)).toHaveLength(1);
    clone.write(
      "package-lock.json",
      readFileSync(join(clone.path, "package-lock.json"), "utf8").replace("left-pad", "right-pad"),
    );
    expect((await clone.run()).stderr).toMatch(/ready/);
    expect(calls(clone.path)).toHaveLength(2);
  });

  it("shows progress as lines if not on a terminal", async () => {
    using clone = makeClone();
    clone.program("npm", `mkdir -p node_modules/nats && touch node_modules/nats/package.json\n${AWAIT_GO}\n${INSTALL}`);
    const { printed, result } = clone.start();
    await until("it shows that", () => /^bootstrap: 33 % \(1 of 3 packages, \d+ MB\), \d+ s$/m.test(printed()));
    clone.write("go", "");
    expect((await result).code).toBe(0);
  });

  it("shows progress as one rewritten line on a terminal", async () => {
    using clone = makeClone();
    clone.program("npm", `${AWAIT_GO}\n${INSTALL}`);
    const { printed, result } = clone.start({ TERM: "xterm" }, ["script", "-qec", "sh scripts/bootstrap", "/dev/null"]);
    const shown = () => printed().split("\r\x1b[K").slice(1, -1);
    await until("it has shown that twice", () => shown().length >= 2);
    for (const line of shown()) expect(line).toMatch(/^bootstrap: 0 % \(0 of 3 packages, 0 MB\), \d+ s$/);
    clone.write("go", "");
    expect((await result).code).toBe(0);
  });

  it("uses the Node in node_modules even if npm 9 did not link it", async () => {
    using clone = makeClone();
    const bundled = "node_modules/node-linux-any/bin/node";
    clone.program("npm", `${INSTALL}\nmkdir -p node_modules/node-linux-any/bin && mv node_modules/.bin/node ${bundled}`);
    expect((await clone.run()).code).toBe(0);
    expect(readlinkSync(join(clone.path, "node_modules/.bin/node"))).toBe("../node-linux-any/bin/node");
  });

  it("uses a recent enough installed Node if node_modules has none for this machine", async () => {
    using clone = makeClone();
    clone.program("npm", `${INSTALL}\nrm node_modules/.bin/node; echo >>npm-calls`);
    expect((await clone.run()).code).toBe(0);
    expect(await clone.run()).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("accepts packages that npm installed by hand, and installs nothing", async () => {
    using clone = makeClone();
    await clone.run();
    rmSync(join(clone.path, "node_modules/.bootstrap-stamp"));
    expect(await clone.run()).toMatchObject({ code: 0, stderr: "bootstrap: ready\n" });
    expect(calls(clone.path)).toHaveLength(1);
  });

  it("installs once if two are started at the same time", async () => {
    using clone = makeClone();
    clone.program("npm", `echo >>npm-calls; ${AWAIT_GO}\n${INSTALL}`);
    const both = [clone.start(), clone.start()];
    await until("one of them waits", () => both.some(({ printed }) => printed().includes("waiting for another bootstrap")));
    clone.write("go", "");
    const runs = await Promise.all(both.map(({ result }) => result));
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    expect(calls(clone.path)).toHaveLength(1);
  });

  it("waits for the npm left by a killed bootstrap, and does not install twice", async () => {
    using clone = makeClone();
    clone.program("npm", `echo >>npm-calls; ${AWAIT_GO}\n${INSTALL}`);
    const first = clone.start();
    await until("npm runs", () => existsSync(join(clone.path, "npm-calls")));
    first.process.kill("SIGKILL");
    const second = clone.start();
    await until("the second waits", () => second.printed().includes("waiting for another bootstrap"));
    expect(second.printed()).toMatch(new RegExp(`\\(processes ${first.process.pid} \\d+\\)`));
    clone.write("go", "");
    expect((await second.result).code).toBe(0);
    expect(calls(clone.path)).toHaveLength(1);
  });

  it("continues without a lock if the file system does not support one", async () => {
    using clone = makeClone();
    clone.program("flock", 'echo "flock: 9: No locks available" >&2; exit 71');
    const { code, stderr } = await clone.run();
    expect(stderr).toMatch(/ready\n$/);
    expect(code).toBe(0);
  });

  it("reinstalls if a package is missing, with or without its stamp", async () => {
    using clone = makeClone();
    await clone.run();
    rmSync(join(clone.path, "node_modules/left-pad"), { recursive: true });
    expect((await clone.run()).stderr).toMatch(/installing/);
    rmSync(join(clone.path, "node_modules/left-pad"), { recursive: true });
    rmSync(join(clone.path, "node_modules/.bootstrap-stamp"));
    expect((await clone.run()).stderr).toMatch(/installing/);
    expect(calls(clone.path)).toHaveLength(3);
  });

  it("ignores NODE_OPTIONS, which may be for another Node", async () => {
    using clone = makeClone();
    expect((await clone.run({ NODE_OPTIONS: "--require /no/such.js" })).code).toBe(0);
  });

  it("reinstalls if the Node in node_modules no longer runs", async () => {
    using clone = makeClone();
    await clone.run();
    const node = join(clone.path, "node_modules/.bin/node");
    rmSync(node);
    writeFileSync(node, "#!/bin/sh\nexit 126\n", { mode: 0o755 });
    expect((await clone.run()).stderr).toMatch(/installing/);
    rmSync(node);
    clone.program(
      "node",
      `[ "$1" = --version ] && echo v20.0.0 && exit; [ "$1" = -p ] && echo 20 && exit; exec ${process.execPath} "$@"`,
    );
    expect((await clone.run()).stderr).toMatch(/installing[\s\S]*ready\n$/);
  });

  it.each([true, false])("reinstalls if other versions were installed by hand (with our stamp: %s)", async (hasStamp) => {
    using clone = makeClone();
    await clone.run();
    if (!hasStamp) rmSync(join(clone.path, "node_modules/.bootstrap-stamp"));
    const installed = join(clone.path, "node_modules/.package-lock.json");
    writeFileSync(installed, readFileSync(installed, "utf8").replace("1.0.0", "1.0.1"));
    expect((await clone.run()).stderr).toMatch(/installing/);
  });

  it("names the package on which package.json and package-lock.json differ, before running npm", async () => {
    using clone = makeClone();
    clone.write("package.json", JSON.stringify({ dependencies: { "better-sqlite3": "1.0.0", nats: "9.9.9" } }));
    const { code, stderr } = await clone.run();
    expect(stderr).toMatch(/do not match: nats is 9\.9\.9 in package\.json and 1\.0\.0 in package-lock\.json\n.*git checkout/);
    expect(code).toBe(69);
    expect(existsSync(join(clone.path, "npm-calls"))).toBe(false);
  });

  it("names the packages that npm skipped, and does not reinstall each time", async () => {
    using clone = makeClone();
    clone.program("npm", `${INSTALL}\nrm -r node_modules/left-pad`);
    expect((await clone.run()).stderr).toMatch(/npm skipped left-pad: /);
    expect(await clone.run()).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("kills npm and cleans up when it is terminated", async () => {
    using clone = makeClone();
    clone.program("npm", "echo $$ >npm-pid; exec sleep 60");
    const { process: bootstrap, result } = clone.start();
    const pidFile = join(clone.path, "npm-pid");
    await until("npm runs", () => existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n"));
    bootstrap.kill("SIGTERM");
    expect((await result).code).toBe(143);
    expect(() => process.kill(Number(readFileSync(pidFile, "utf8")), 0)).toThrow(/ESRCH/);
    expect(readdirSync(join(clone.path, ".tools"))).toEqual(["logs"]);
  });
});
