/** The Go program in go-partner/ as a far end. It exits at the end of its standard input, so it never outlives the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { inject } from "vitest";
import { parseAddress } from "../../../src/base/ids.ts";
import type { PeerRecord } from "../../support/publisher.ts";
import { until } from "../../support/until.ts";
import type { VersionName } from "./versions.ts";

export interface GoEvent {
  readonly event: string;
  readonly address?: string;
  readonly count?: number;
  readonly bytes?: number;
  readonly ms?: number;
  readonly error?: string;
}

const EVENT_TIMEOUT_MS = 30_000;

export class GoPartner implements Disposable, PeerRecord {
  readonly events: GoEvent[] = [];
  readonly #child: ChildProcess;
  #address = "";

  private constructor(version: VersionName, args: readonly string[]) {
    const child = spawn(join(inject("partners") ?? "", version), args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => this.events.push(JSON.parse(line) as GoEvent));
  }

  /** Resolves when it listens. `args`: see go-partner/main.go. */
  static async start(version: VersionName, ...args: readonly string[]): Promise<GoPartner> {
    const partner = new GoPartner(version, args);
    partner.#address = (await partner.event("listening")).address ?? "";
    return partner;
  }

  get address(): string {
    return this.#address;
  }

  get peerId(): string {
    // parseAddress does not know the PeerIDs of ECDSA keys.
    return parseAddress(this.address)?.peerId ?? this.address.split("/").at(-1) ?? "";
  }

  get port(): number {
    return Number(/\/tcp\/(\d+)/.exec(this.address)?.[1]);
  }

  count(name: string): number {
    return this.events.filter(({ event }) => event === name).length;
  }

  /** Waits for the first event of this name that `accept` accepts. */
  async event(name: string, accept: (event: GoEvent) => boolean = () => true): Promise<GoEvent> {
    const found = () => {
      const event = this.events.find((each) => each.event === name && accept(each));
      if (event === undefined && this.#child.exitCode !== null)
        throw new Error(`the Go partner has exited with code ${this.#child.exitCode}`);
      return event;
    };
    try {
      return await until(`the Go partner says ${name}`, found, EVENT_TIMEOUT_MS);
    } catch (error) {
      throw new Error(`${String(error)}; it reported ${JSON.stringify(this.events)}`, { cause: error });
    }
  }

  /** Waits until it has received this many heartbeats. */
  async heartbeats(count: number): Promise<void> {
    await this.event("heartbeat", (event) => (event.count ?? 0) >= count);
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has exited. */
  async kill(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.send("SIGKILL");
    await exited;
  }

  [Symbol.dispose](): void {
    this.send("SIGKILL");
  }
}
