/**
 * Vitest's runner, in the process of one test file. Without a plan it runs the tests once and records which mutants each test reaches. With
 * one, it runs the file again for each mutant until a test fails. The program's modules stay loaded where that makes no difference.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type RunnerTestCase, type RunnerTestFile, type RunnerTestSuite, TestRunner } from "vitest";
import {
  DIRECTORY_VARIABLE,
  type FilePlan,
  type FileRecord,
  type How,
  type PlannedMutant,
  planFile,
  type ResultLine,
  recordFile,
  resultsFile,
  settledFile,
  type TestRecord,
} from "./messages.ts";
import { ACTIVE_VARIABLE, REACHED_VARIABLE, switchState } from "./switch.ts";
import { startWatchdog } from "./watchdog.ts";

/** Real ones, although tests install fake ones. */
const { setTimeout, clearTimeout } = globalThis;
const now = performance.now.bind(performance);
/** Caught mutants are settled in blocks of this many runs, by a run without a mutant. */
const BLOCK = 25;
/** For loading the modules and for hooks. */
const SPARE_MS = 45_000;
/** A test that blocks the event loop for this long after its limit is ended with its process. */
const BLOCKED_MS = 2_000;

const directory = process.env[DIRECTORY_VARIABLE] ?? "";

interface Spec {
  readonly filepath: string;
}

/** The parts of vitest's runner that it does not declare. */
interface Hidden {
  readonly workerState: {
    readonly ctx: { readonly files: Spec[] };
    readonly evaluatedModules: { readonly idToModuleMap: ReadonlyMap<string, { readonly importers: Set<string> }> };
  };
}

export default class MutantRunner extends TestRunner {
  readonly #watchdog = startWatchdog();
  #plan: readonly PlannedMutant[] | undefined;
  #next = 0;
  #current: PlannedMutant | undefined;
  #isControl = false;
  #failure: { readonly test: string; readonly how: How } | undefined;
  #caughtBy = new Set<string>();
  #sinceControl = 0;
  #mustStop = false;
  #skipBytes = 0;
  #keepsModules = false;
  /** Whether the program must be loaded again before the next run. */
  #mustLoad = true;
  #wasLoaded = true;
  readonly #settled = new Set<number>();

  readonly #records: TestRecord[] = [];
  readonly #shared = new Set<number>();
  #reached = new Set<number>();
  #startedMs = 0;

  #testFile = "";
  #spec: Spec | undefined;

  async onBeforeCollect(paths: readonly string[]): Promise<void> {
    if (this.#spec === undefined) this.#prepare(paths[0] ?? "");
    if (this.#plan === undefined) this.#startRecording();
    else this.#choose(this.#plan);
  }

  /** The command reads only our files, so vitest's own reports are left out. */
  #prepare(filepath: string): void {
    this.#spec = { filepath };
    this.#testFile = relative(this.config.root, filepath);
    const path = planFile(directory, this.#testFile);
    if (!existsSync(path)) return;
    const { mutants, keepsModules } = JSON.parse(readFileSync(path, "utf8")) as FilePlan;
    this.#plan = mutants;
    this.#keepsModules = keepsModules;
    // Otherwise vitest forgets all modules before each run.
    this.config.isolate = false;
    const silent = async () => {};
    Object.assign(this, {
      onTaskUpdate: silent,
      onCollectStart: (file: RunnerTestFile) => super.onCollectStart(file),
      onCollected: async (files: RunnerTestFile[]) => this.#selectTests(files),
      onAfterRunFiles: async (files: RunnerTestFile[]) => this.#afterMutant(files),
      onAfterRunTask: async (test: RunnerTestCase) => this.#afterTest(test),
    });
    for (const event of ["unhandledRejection", "uncaughtException"] as const)
      process.on(event, () => this.#fail("an error that no test handles", "unhandled"));
  }

  #choose(plan: readonly PlannedMutant[]): void {
    this.#failure = undefined;
    this.#learnSettled();
    while (!this.#isControl && this.#settled.has(plan[this.#next]?.id ?? -1)) this.#next += 1;
    this.#current = this.#isControl ? undefined : plan[this.#next];
    const isShared = this.#current?.isShared ?? true;
    this.#wasLoaded = this.#mustLoad || isShared || !this.#keepsModules;
    this.#forgetModules(this.#wasLoaded);
    // Modules that were loaded with a mutant keep it.
    this.#mustLoad = isShared && !this.#isControl;
    switchState.active = this.#current?.id ?? -1;
    switchState.isReached = false;
    process.env[ACTIVE_VARIABLE] = String(switchState.active);
    this.#watchdog.allow(SPARE_MS);
    if (this.#current !== undefined) this.#write({ kind: "started", testFile: this.#testFile, id: this.#current.id });
    this.#next += this.#current === undefined ? 0 : 1;
  }

  /** Those of the tests, because they register tests as they load, and those of the program if `all`. */
  #forgetModules(all: boolean): void {
    const { evaluatedModules } = (this as unknown as Hidden).workerState;
    const kept = join(this.config.root, "src/");
    for (const [path, module] of evaluatedModules.idToModuleMap) {
      if (path.includes("/node_modules/") || (!all && path.startsWith(kept))) continue;
      Object.assign(module, { promise: undefined, exports: undefined, evaluated: false });
      module.importers.clear();
    }
  }

  /** Other test files run at the same time; their settled mutants need no further run. */
  #learnSettled(): void {
    const path = settledFile(directory);
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    if (size === this.#skipBytes) return;
    this.#skipBytes = size;
    for (const line of readFileSync(path, "utf8").split("\n")) if (line !== "") this.#settled.add(Number(line));
  }

  #selectTests(files: readonly RunnerTestFile[]): void {
    const wanted = this.#isControl ? this.#caughtBy : new Set(this.#current?.tests);
    for (const file of files) {
      for (const task of file.tasks) keep(task, wanted);
      if (file.result?.state === "fail") this.#fail("loading the file", "failed");
    }
  }

  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    if (this.#failure !== undefined) test.mode = "skip";
    await super.onBeforeRunTask(test);
  }

  override onBeforeTryTask(test: RunnerTestCase, options: { retry: number; repeats: number }): void {
    super.onBeforeTryTask(test, options);
    if (this.#plan !== undefined) return;
    for (const id of this.#takeReached()) this.#shared.add(id);
    this.#startedMs = now();
  }

  async runTask(test: RunnerTestCase): Promise<void> {
    const run = async () => TestRunner.getTestFn(test)();
    const limitMs = this.#current?.limitMs;
    if (limitMs === undefined) {
      await run();
      return;
    }
    this.#watchdog.allow(limitMs + BLOCKED_MS);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        this.#fail(test.name, "hung");
        this.#mustStop = true;
        reject(new Error(`not done within ${limitMs} ms`));
      }, limitMs);
    });
    try {
      await Promise.race([run(), late]);
    } finally {
      clearTimeout(timer);
      this.#watchdog.allow(SPARE_MS);
    }
  }

  override onAfterRunTask(test: RunnerTestCase): void {
    super.onAfterRunTask(test);
    this.#afterTest(test);
  }

  #afterTest(test: RunnerTestCase): void {
    const { id, name, result } = test;
    if (this.#plan !== undefined) {
      if (result?.state !== "fail") return;
      this.#fail(name, "failed");
      this.#caughtBy.add(id);
      return;
    }
    if (test.mode !== "run" && test.mode !== "queued") return;
    const reached = [...this.#takeReached()];
    this.#records.push({ id, name, ms: now() - this.#startedMs, passed: result?.state === "pass", reached });
  }

  #fail(test: string, how: How): void {
    this.#failure ??= { test, how };
  }

  #afterMutant(files: readonly RunnerTestFile[]): void {
    super.onAfterRunFiles([...files]);
    const failedHook = files.some(failed);
    if (failedHook) this.#fail("a hook", "failed");
    if (this.#mustRunAgain()) {
      this.#next -= 1;
      this.#mustLoad = true;
      this.#again();
      return;
    }
    this.#report();
    const { length } = this.#plan ?? [];
    const isLast = this.#next >= length || this.#mustStop;
    const isDue = this.#sinceControl >= BLOCK || isLast;
    this.#isControl = isDue && this.#caughtBy.size > 0;
    if (this.#isControl || !isLast) this.#again();
    else this.#write({ kind: "finished", testFile: this.#testFile });
  }

  /** It was not reached in kept modules: what it changes may be computed once, or in another process, which loads modules of its own. */
  #mustRunAgain(): boolean {
    const { isReached } = switchState;
    return this.#current !== undefined && this.#failure === undefined && !isReached && !this.#wasLoaded;
  }

  #report(): void {
    const { testFile, id } = { testFile: this.#testFile, id: this.#current?.id };
    if (this.#isControl) {
      const passed = this.#failure === undefined;
      this.#write({ kind: "control", testFile, passed });
      this.#caughtBy = new Set();
      this.#sinceControl = 0;
      if (!passed) this.#mustStop = true;
    } else if (id !== undefined) {
      this.#sinceControl += 1;
      this.#write(
        this.#failure === undefined ? { kind: "survived", testFile, id } : { kind: "caught", testFile, id, ...this.#failure },
      );
    }
  }

  /** Vitest's worker walks this list while it grows. */
  #again(): void {
    const { ctx } = (this as unknown as Hidden).workerState;
    if (this.#spec !== undefined) ctx.files.push(this.#spec);
  }

  #write(line: ResultLine): void {
    appendFileSync(resultsFile(directory), `${JSON.stringify(line)}\n`);
  }

  #startRecording(): void {
    process.env[REACHED_VARIABLE] = this.#reachedFile();
    rmSync(this.#reachedFile(), { force: true });
    switchState.onReached = (id) => this.#reached.add(id);
  }

  #reachedFile(): string {
    return `${recordFile(directory, this.#testFile)}.${process.pid}`;
  }

  #takeReached(): ReadonlySet<number> {
    const reached = this.#reached;
    this.#reached = new Set();
    switchState.seen.clear();
    const path = this.#reachedFile();
    if (existsSync(path)) {
      for (const line of readFileSync(path, "utf8").split("\n")) if (line !== "") reached.add(Number(line));
      rmSync(path, { force: true });
    }
    return reached;
  }

  override onAfterRunFiles(files: RunnerTestFile[]): void {
    super.onAfterRunFiles(files);
    if (this.#plan !== undefined) return;
    for (const id of this.#takeReached()) this.#shared.add(id);
    const message = files[0]?.result?.errors?.[0]?.message;
    const record: FileRecord = {
      testFile: this.#testFile,
      problem: this.#records.some(({ passed }) => passed) ? null : (message ?? "no test passes"),
      shared: [...this.#shared],
      tests: this.#records,
    };
    writeFileSync(recordFile(directory, this.#testFile), JSON.stringify(record));
  }
}

function keep(task: RunnerTestCase | RunnerTestSuite, wanted: ReadonlySet<string>): boolean {
  if (task.type === "test") {
    if (!wanted.has(task.id)) task.mode = "skip";
    return wanted.has(task.id);
  }
  const kept = task.tasks.map((inner) => keep(inner, wanted)).includes(true);
  if (!kept) task.mode = "skip";
  return kept;
}

const failed = (task: RunnerTestCase | RunnerTestSuite): boolean =>
  task.result?.state === "fail" || (task.type === "suite" && task.tasks.some(failed));
