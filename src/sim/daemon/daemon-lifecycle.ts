/** Starts, stops and restarts the simulated daemon, tracks when it is awake, and decides which wakes get lost. */
import type { Random } from "../../base/clock.ts";
import type { CrashPoint, DaemonEnd } from "../../fixture/format/schema.ts";
import type { ClockView, VirtualClock } from "../time/virtual-clock.ts";
import type { SimDaemon } from "./sim-daemon.ts";

/** Thrown through the daemon when its process ends. Code that catches it runs in a dead process and has no effect. */
export class ProcessEnded extends Error {}

export interface DaemonLifecycleInit {
  readonly clock: VirtualClock;
  /** Starts the daemon with this view of the clock; calls `onStarted` once it can be observed, before it does anything. */
  readonly start: (view: ClockView, life: number, onStarted: (daemon: SimDaemon) => void) => Promise<unknown>;
  /** Decides how much a power loss destroys. */
  readonly random: Random;
  readonly onStarted: (daemon: SimDaemon) => void;
  /** It exited because it could not start. */
  readonly onStartFailed: (thrown: unknown) => void;
  readonly onEnded: () => void;
  readonly tell: (what: string) => void;
}

/** How long the supervisor waits before restarting a daemon that failed to start. */
const START_AGAIN_MS = 1_000;
/**
 * The periodic diff makes up for a lost wake within this time. The diff is promised every 5 s ± 20 %; this is not computed from the
 * program's own period, which is under test.
 */
export const WAKES_RECOVER_MS = 7_000;

export class DaemonLifecycle {
  readonly #init: DaemonLifecycleInit;
  #state: "down" | "starting" | "running" | "ending" = "down";
  #daemon: SimDaemon | undefined;
  #view: ClockView;
  #count = 0;
  #armed: { readonly point: CrashPoint; readonly how: DaemonEnd; readonly downMs: number } | undefined;
  #wakesLostUntilMs = Number.NEGATIVE_INFINITY;
  #wakeLostAtAwakeMs = Number.NEGATIVE_INFINITY;
  #sleptMs = 0;
  #asleepSinceMs: number | undefined = 0;

  constructor(init: DaemonLifecycleInit) {
    this.#init = init;
    this.#view = init.clock.view();
  }

  /** Undefined while the daemon is down. */
  get daemon(): SimDaemon | undefined {
    return this.#daemon;
  }

  /** Whether no process is there, not even one that starts or stops. */
  get isDown(): boolean {
    return this.#state === "down";
  }

  /** Whether its event loop is blocked. */
  get isStalled(): boolean {
    return this.#view.paused;
  }

  /** How long the daemon has been running and awake in total. */
  awakeMs(): number {
    return (this.#asleepSinceMs ?? this.#nowMs()) - this.#sleptMs;
  }

  get wakesAreSafe(): boolean {
    return this.#nowMs() > this.#wakesLostUntilMs && this.awakeMs() > this.#wakeLostAtAwakeMs + WAKES_RECOVER_MS;
  }

  /** False if a wake is lost now. */
  mayWake(): boolean {
    const passes = this.#nowMs() > this.#wakesLostUntilMs;
    if (!passes) this.#wakeLostAtAwakeMs = this.awakeMs();
    return passes;
  }

  start(): void {
    if (this.#state !== "down") return;
    this.#state = "starting";
    this.#count += 1;
    this.#view = this.#init.clock.view();
    this.#init.tell("starts");
    const starting = this.#init.start(this.#view, this.#count, (daemon) => {
      this.#state = "running";
      this.#daemon = daemon;
      this.#wakeUp();
      this.#init.onStarted(daemon);
    });
    starting.catch((thrown: unknown) => {
      if (thrown instanceof ProcessEnded) return;
      // A full or locked disk prevents the daemon from starting; its supervisor tries again.
      this.#init.tell(`cannot start: ${String(thrown)}`);
      this.#init.onStartFailed(thrown);
      this.#state = "down";
      this.#init.clock.schedule(START_AGAIN_MS, () => this.start());
    });
  }

  /** Ends the process at `point`, which it may reach later or never, and restarts it after `downMs`. A `restart` drains at once. */
  end(how: DaemonEnd, point: CrashPoint, downMs: number): void {
    if (point === "now" || how === "restart") this.#end(how, downMs);
    else this.#armed = { point, how, downMs };
  }

  /** Called when the daemon reaches `point`. Throws `ProcessEnded` if it was to end there. */
  reached(point: CrashPoint): void {
    if (!this.survives(point)) throw new ProcessEnded(`the process ended ${point}`);
  }

  /** Like `reached`, but returns false instead of throwing, for callers whose exceptions would not be caught. */
  survives(point: CrashPoint): boolean {
    const armed = this.#armed;
    if (armed?.point !== point || this.#daemon === undefined) return true;
    this.#end(armed.how, armed.downMs);
    return false;
  }

  /** Whether the daemon is to end at `point`. */
  endsAt(point: CrashPoint): boolean {
    return this.#armed?.point === point && this.#daemon !== undefined;
  }

  stall(forMs: number): void {
    const view = this.#view;
    if (view.paused || this.#daemon === undefined) return;
    view.pause();
    this.#fallAsleep();
    this.#init.clock.schedule(forMs, () => this.#resume(view));
  }

  loseWakes(forMs: number): void {
    this.#wakesLostUntilMs = Math.max(this.#wakesLostUntilMs, this.#nowMs() + forMs);
  }

  jumpWallClock(byMs: number): void {
    this.#view.wallOffsetMs += byMs;
  }

  /** Clears all faults: starts the daemon if it is down, and resumes it if it is stalled. */
  heal(): void {
    this.#armed = undefined;
    this.#wakesLostUntilMs = Math.min(this.#wakesLostUntilMs, this.#nowMs());
    this.#resume(this.#view);
    this.start();
  }

  #end(how: DaemonEnd, downMs: number): void {
    const daemon = this.#daemon;
    this.#armed = undefined;
    if (daemon === undefined) return;
    this.#init.tell(`ends: ${how}`);
    this.#state = "ending";
    this.#daemon = undefined;
    this.#fallAsleep();
    const ended = () => {
      this.#state = "down";
      this.#init.onEnded();
      this.#init.clock.schedule(downMs, () => this.start());
    };
    if (how === "restart") {
      // On a full or locked disk the last counters are lost, and the daemon reports that as it exits.
      daemon.stop().then(ended, (thrown: unknown) => {
        this.#init.tell(`ended badly: ${String(thrown)}`);
        ended();
      });
    } else {
      daemon.kill(how, this.#init.random);
      ended();
    }
  }

  #resume(view: ClockView): void {
    if (!view.paused || view !== this.#view) return;
    view.resume();
    this.#wakeUp();
  }

  #nowMs(): number {
    return this.#init.clock.monotonicMs();
  }

  #fallAsleep(): void {
    this.#asleepSinceMs ??= this.#nowMs();
  }

  #wakeUp(): void {
    if (this.#asleepSinceMs === undefined) return;
    this.#sleptMs += this.#nowMs() - this.#asleepSinceMs;
    this.#asleepSinceMs = undefined;
  }
}
