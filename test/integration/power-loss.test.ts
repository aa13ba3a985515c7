/** Opening a store makes its contents durable, even if another process wrote them, because the broker is told about them next. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { syncToDisk } from "../../src/store/sql/data-directory.ts";
import { openStore } from "../../src/store/store.ts";
import { type Disk, loopDisk } from "../crash/disk.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { NEEDS_ROOT } from "../support/needs-root.ts";

const WRITER = join(import.meta.dirname, "../store/support/append-forever.ts");
/** A writer that never fsyncs, so it is always killed between write and fsync. */
const NEVER_FSYNCS = new URL("../crash/plant-preload.ts?plant=synchronous-normal", import.meta.url).href;

/** Runs a process that appends to the log in `directory`, and kills it; resolves when it has exited. */
async function killedBeforeFsync(directory: string): Promise<void> {
  const writer = spawn(process.execPath, ["--import", NEVER_FSYNCS, WRITER, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(writer, "exit");
  let lines = 0;
  for await (const _ of createInterface({ input: writer.stdout })) if (++lines === 20) writer.kill("SIGKILL");
  expect(await exited).toEqual([null, "SIGKILL"]);
}

function diskOrReason(directory: string): Disk | string {
  try {
    return loopDisk(directory);
  } catch (thrown) {
    return String(thrown);
  }
}

/** A process in a new mount namespace, which has copies of all mounts. Disposing kills it. */
function copyOfAllMounts(): Disposable {
  const holder = spawnSync("unshare", ["--mount", "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!"], { encoding: "utf8" });
  const pid = Number(holder.stdout);
  if (holder.status !== 0 || !(pid > 0)) throw new Error(`cannot create a mount namespace: ${holder.stderr}`);
  return { [Symbol.dispose]: () => void process.kill(pid, "SIGKILL") };
}

test("a disk comes back although another mount namespace keeps it as it was, with what was fsynced", NEEDS_ROOT, (context) => {
  using directory = temporaryDirectory();
  const mounted = diskOrReason(directory.path);
  if (typeof mounted === "string") return context.skip(`no file system can be mounted: ${mounted}`);
  using disk = mounted;
  const fsynced = join(disk.path, "fsynced");
  writeFileSync(fsynced, "kept", { flush: true });
  syncToDisk(disk.path);
  using _holder = copyOfAllMounts();
  writeFileSync(join(disk.path, "other"), "lost");
  disk.cutPower([]);
  expect(() => readFileSync(fsynced)).toThrow("EIO");
  disk.restorePower();
  expect([readdirSync(disk.path), readFileSync(fsynced, "utf8")]).toEqual([["fsynced", "lost+found"], "kept"]);
});

test("opening the log of a killed daemon makes its unsynced rows durable", NEEDS_ROOT, async (context) => {
  using directory = temporaryDirectory();
  const mounted = diskOrReason(directory.path);
  if (typeof mounted === "string") return context.skip(`no file system can be mounted: ${mounted}`);
  using disk = mounted;
  const data = join(disk.path, "data");
  await killedBeforeFsync(data);
  const store = openStore({ directory: data, clock: systemClock });
  const head = store.head();
  expect(head.seq).toBeGreaterThan(0);
  disk.cutPower([]);
  expect(() => store[Symbol.dispose]()).toThrow();
  disk.restorePower();
  using survivor = openStore({ directory: data, clock: systemClock });
  expect(survivor.head()).toEqual(head);
});
