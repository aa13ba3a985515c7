/** The process of the canaries; started by canaries.ts. */
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { PrivateKey, Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../src/base/clock.ts";
import { didOf, type PeerId } from "../../src/base/ids.ts";
import { answerChallenge } from "../../src/p2p/heartbeat/echo.ts";
import { createNode, type Node, startNode, stopNode } from "../../src/p2p/host/node.ts";
import { encodeHeartbeat } from "../../src/p2p/wire/codec.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { openDoor } from "../support/partner-host.ts";
import type { Canary, Notices, Numbered, Question } from "./canaries.ts";

const HEARTBEAT_MS = 3_000;
const REDIAL_MS = 500;

class CanaryHost {
  readonly #privateKey: PrivateKey;
  readonly #target: string;
  readonly peerId: PeerId;
  #node: Node | undefined;
  #listen = ["/ip4/127.0.0.1/tcp/0"];
  #lastHeartbeatMs: number | undefined;
  #longestGapMs = 0;
  #lost = 0;
  #isStopping = false;
  /** Resolved once the daemon has opened its stream, and has challenged ours. */
  #served = Promise.withResolvers<void>();
  #challenged = Promise.withResolvers<void>();

  constructor(privateKey: PrivateKey, target: string) {
    this.#privateKey = privateKey;
    this.#target = target;
    this.peerId = peerIdFromPrivateKey(privateKey).toString() as PeerId;
  }

  get address(): string {
    return `${this.#listen[0]}/p2p/${this.peerId}`;
  }

  async start(): Promise<void> {
    this.#isStopping = false;
    const node = await createNode({
      privateKey: this.#privateKey,
      listen: this.#listen,
      door: openDoor(),
      clock: systemClock,
      admission: { verdictOn: () => "ok" },
      swarmKey: null,
      version: "0.0.0",
    });
    this.#node = node;
    await node.handle(PROBE_PROTOCOL, async (stream) => {
      await answerChallenge(stream, systemClock, () => {});
      this.#challenged.resolve();
    });
    await node.handle(PARTNER_PROTOCOL, (stream) => this.#receive(stream));
    await startNode(node, this.#listen);
    const address = node.getMultiaddrs()[0]?.toString() ?? "";
    this.#listen = [address.replace(/\/p2p\/.*/, "")];
    void this.#send(node);
  }

  async restart(): Promise<number> {
    this.#isStopping = true;
    if (this.#node !== undefined) await stopNode(this.#node, systemClock);
    this.#served = Promise.withResolvers();
    this.#challenged = Promise.withResolvers();
    this.#lastHeartbeatMs = undefined;
    await this.start();
    const startedMs = systemClock.monotonicMs();
    await Promise.all([this.#served.promise, this.#challenged.promise]);
    return systemClock.monotonicMs() - startedMs;
  }

  notices(): Notices {
    this.#noticeGap();
    const notices = { longestGapMs: this.#longestGapMs, lost: this.#lost };
    this.#longestGapMs = 0;
    this.#lost = 0;
    return notices;
  }

  #receive(stream: Stream): void {
    stream.addEventListener("message", () => {
      this.#noticeGap();
      this.#lastHeartbeatMs = systemClock.monotonicMs();
      this.#served.resolve();
    });
    stream.addEventListener("close", () => {
      if (!this.#isStopping) this.#lost += 1;
    });
  }

  #noticeGap(): void {
    if (this.#lastHeartbeatMs !== undefined)
      this.#longestGapMs = Math.max(this.#longestGapMs, systemClock.monotonicMs() - this.#lastHeartbeatMs);
  }

  /** Keeps a heartbeat stream to the daemon, redialling as a partner would. */
  async #send(node: Node): Promise<void> {
    const heartbeat = () =>
      encodeHeartbeat({ name: "canary", did: didOf(this.peerId), peerId: this.peerId }, systemClock.wallMs(), "unix");
    let wasOpen = false;
    while (!this.#isStopping && node.status === "started") {
      try {
        const connection = await node.dial(multiaddr(this.#target), { signal: AbortSignal.timeout(5_000) });
        const stream = await connection.newStream(PARTNER_PROTOCOL, { signal: AbortSignal.timeout(5_000) });
        wasOpen = true;
        while (stream.status === "open" && !this.#isStopping) {
          stream.send(heartbeat());
          await pause(HEARTBEAT_MS, stream);
        }
      } catch {
        // Refused or unreachable: dialled again below.
      }
      if (wasOpen && !this.#isStopping) this.#lost += 1;
      wasOpen = false;
      await pause(REDIAL_MS);
    }
  }
}

/** Ends early if `stream` closes. */
function pause(ms: number, stream?: Stream): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stream?.addEventListener("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const hosts: CanaryHost[] = [];
let restarted = 0;

async function answer(question: Question): Promise<unknown> {
  switch (question.kind) {
    case "start":
      for (let index = 0; index < question.count; index++)
        hosts.push(new CanaryHost(await generateKeyPair("Ed25519"), question.target));
      await Promise.all(hosts.map((host) => host.start()));
      return hosts.map(({ peerId, address }): Canary => ({ peerId, address }));
    case "notices": {
      const all = hosts.map((host) => host.notices());
      return {
        longestGapMs: Math.max(...all.map(({ longestGapMs }) => longestGapMs)),
        lost: all.reduce((sum, { lost }) => sum + lost, 0),
      } satisfies Notices;
    }
    case "restart":
      return hosts[restarted++ % hosts.length]?.restart();
  }
}

process.on("message", ({ number, body }: Numbered<Question>) => {
  void answer(body).then((reply) => process.send?.({ number, body: reply } satisfies Numbered<unknown>));
});
process.on("disconnect", () => process.exit(0));
