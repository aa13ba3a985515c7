/** The daemon and a go-libp2p partner as real processes, in both directions of the partner protocol. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAddress } from "../../src/base/ids.ts";
import { startParticipant } from "../support/participant.ts";
import { until } from "../support/until.ts";

interface GoEvent {
  readonly event: string;
  readonly address?: string;
  readonly count?: number;
  readonly bytes?: number;
  readonly error?: string;
}

/** Runs the Go program in this folder. It exits at the end of its standard input, so it never outlives the test. */
class GoPartner implements Disposable {
  readonly events: GoEvent[] = [];
  readonly #child: ChildProcess;

  constructor(binary: string, dial: string | undefined) {
    const child = spawn(binary, dial === undefined ? [] : [dial], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => this.events.push(JSON.parse(line) as GoEvent));
  }

  /** Waits for the first event of this name that `accept` accepts. */
  async event(name: string, accept: (event: GoEvent) => boolean = () => true): Promise<GoEvent> {
    const found = () => this.events.find((event) => event.event === name && accept(event));
    try {
      return await until(`the Go partner says ${name}`, found, 20_000);
    } catch (error) {
      throw new Error(`${String(error)}; it reported ${JSON.stringify(this.events)}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

let directory: string;
let binary: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "oc-partnerd-interop-"));
  binary = join(directory, "go-partner");
  execFileSync("go", ["build", "-o", binary, "."], { cwd: join(import.meta.dirname, "go-partner"), stdio: "inherit" });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("we dial a Go partner: it challenges us, registers us and accepts heartbeats; a revocation closes the stream", async () => {
  await using lyon = await startParticipant("lyon");
  using go = new GoPartner(binary, undefined);
  const { address = "" } = await go.event("listening");
  const peerId = parseAddress(address)?.peerId ?? "";
  await lyon.publisher.relate({ peerId, address }, "PARTNER");
  await go.event("registered");
  await go.event("heartbeat", ({ count }) => (count ?? 0) >= 3);
  const peer = await lyon.daemon.peer(peerId);
  expect(peer).toMatchObject({ phase: "established", attempts: 0, lastError: null });
  await lyon.publisher.relate({ peerId, address }, "NONE");
  await go.event("ended");
  expect(await lyon.daemon.peer(peerId)).toMatchObject({ phase: "closed", outbound: null });
});

test("a Go partner dials us: it echoes our challenge and is registered; blacklisting it closes the stream", async () => {
  await using lyon = await startParticipant("lyon");
  using go = new GoPartner(binary, lyon.address);
  const { address = "" } = await go.event("listening");
  const peerId = parseAddress(address)?.peerId ?? "";
  const { bytes } = await go.event("echoed");
  expect(bytes).toBeGreaterThanOrEqual(512);
  const seen = await until("an inbound stream", async () => {
    const peer = await lyon.daemon.peer(peerId);
    return peer !== undefined && peer.inbound !== null && peer;
  });
  expect(seen).toMatchObject({ relation: null, did: "did:go" });
  await lyon.publisher.relate({ peerId, address }, "BLACKLIST");
  await go.event("far_end_closed");
  expect(await lyon.daemon.peer(peerId)).toMatchObject({ standing: "blacklisted", inbound: null });
});
