/**
 * A clock in machine time: its second is a second on an idle machine, and longer if the cores are shared with other work. So a deadline
 * on it measures a program's use of the time it got, not how busy the machine was.
 */
import type { Clock } from "../../../src/base/clock.ts";
import { type MachineReading, shareOf } from "./machine.ts";

/** Time between readings of the machine. */
export const LOOK_EVERY_MS = 50;

interface PaceClockOptions {
  readonly clock: Clock;
  readonly readMachine: () => MachineReading;
}

export class PaceClock implements Clock {
  readonly #clock: Clock;
  readonly #readMachine: () => MachineReading;
  #reading: MachineReading;
  #lookedMs: number;
  #share = 1;
  #passedMs = 0;
  #countedMs: number;

  constructor({ clock, readMachine }: PaceClockOptions) {
    this.#clock = clock;
    this.#readMachine = readMachine;
    this.#reading = readMachine();
    this.#share = shareOf(this.#reading, this.#reading);
    this.#countedMs = clock.monotonicMs();
    this.#lookedMs = this.#countedMs;
    this.#lookOn();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  monotonicMs(): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedMs >= LOOK_EVERY_MS) this.#look(nowMs);
    else this.#count(nowMs, this.#share);
    return this.#passedMs;
  }

  /** Runs `task` at the first reading of the machine after `delayMs` of this clock. */
  schedule(delayMs: number, task: () => void): Disposable {
    const dueMs = this.monotonicMs() + delayMs;
    let timer: Disposable;
    const wait = () => {
      const leftMs = dueMs - this.monotonicMs();
      if (leftMs <= 0) task();
      // This clock is never faster than the underlying one.
      else timer = this.#clock.schedule(Math.max(1, leftMs), wait);
    };
    timer = this.#clock.schedule(Math.max(0, delayMs), wait);
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }

  #lookOn(): void {
    this.#clock.schedule(LOOK_EVERY_MS, () => {
      this.#look(this.#clock.monotonicMs());
      this.#lookOn();
    });
  }

  /** After a long time without readings this process was starved or busy itself, so the smaller share counts. */
  #look(nowMs: number): void {
    const reading = this.#readMachine();
    const share = shareOf(reading, this.#reading);
    this.#count(nowMs, nowMs - this.#lookedMs > 2 * LOOK_EVERY_MS ? Math.min(share, this.#share) : this.#share);
    this.#share = share;
    this.#reading = reading;
    this.#lookedMs = nowMs;
  }

  #count(nowMs: number, share: number): void {
    this.#passedMs += (nowMs - this.#countedMs) * share;
    this.#countedMs = nowMs;
  }
}
