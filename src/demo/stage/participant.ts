/** One participant of the demo: a daemon, its own nats-server, its own directory, and what its API last said. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { silentLogger } from "../../base/log.ts";
import type { RawMessage } from "../../events/decode.ts";
import { ANSWER_TIMEOUT_MS, type DaemonClient, daemonClient } from "../../http/client.ts";
import { publishOnce } from "../../nats/publish.ts";
import { startPrivateServer } from "../../nats/server/private-server.ts";
import { DaemonProcess } from "./daemon-process.ts";
import type { Name, NodeState } from "./state.ts";

interface ParticipantOptions {
  readonly name: Name;
  readonly directory: string;
  readonly listenPort: number;
  readonly httpPort: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Its daemon ended, and not because this was asked of it. */
  readonly onExit: (participant: Participant, how: string) => void;
}

export class Participant implements AsyncDisposable {
  readonly name: Name;
  readonly directory: string;
  readonly configFile: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly natsUrl: string;
  readonly #client: DaemonClient;
  readonly #daemon: DaemonProcess;
  readonly #clock: Clock;
  readonly #owned: AsyncDisposableStack;
  #state: NodeState = { process: "starting", peerId: null, address: null, peers: [] };
  /** Counts the times that #state was set from outside: an answer that was asked for before then is out of date. */
  #epoch = 0;

  private constructor(options: ParticipantOptions, configFile: string, natsUrl: string, owned: AsyncDisposableStack) {
    const { name, directory, httpPort, clock } = options;
    this.name = name;
    this.directory = directory;
    this.configFile = configFile;
    this.http = { host: "127.0.0.1", port: httpPort };
    this.natsUrl = natsUrl;
    this.#client = daemonClient(this.http);
    this.#clock = clock;
    this.#owned = owned;
    this.#daemon = new DaemonProcess({
      configFile,
      logFile: join(directory, "daemon.log"),
      workingDirectory: directory,
      clock,
      onUnexpectedExit: (how) => options.onExit(this, how),
    });
  }

  /** Starts its nats-server and then its daemon. The daemon is ready once `state` says so. */
  static async start(options: ParticipantOptions): Promise<Participant> {
    const { name, directory, clock, signal } = options;
    await using owned = new AsyncDisposableStack();
    mkdirSync(directory, { mode: 0o700 });
    const nats = owned.use(
      await startPrivateServer({ dataDir: directory, env: process.env, clock, logger: silentLogger, signal }),
    );
    const config = {
      name,
      data: directory,
      listen: [`/ip4/127.0.0.1/tcp/${options.listenPort}`],
      http: `127.0.0.1:${options.httpPort}`,
      nats: { url: nats.url },
    };
    const configFile = join(directory, "partnerd.json");
    writeFileSync(configFile, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
    const participant = new Participant(options, configFile, nats.url, owned.move());
    participant.#daemon.start();
    return participant;
  }

  /** Of its API. */
  get url(): string {
    return `http://${this.http.host}:${this.http.port}`;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Its own PeerID and address; throws before its API has answered. */
  get identity(): { readonly peerId: PeerId; readonly address: string } {
    const { peerId, address } = this.#state;
    if (peerId === null || address === null) throw new PartnerdError("internal_error", `${this.name} has not said who it is`);
    return { peerId: peerId as PeerId, address };
  }

  /** Of its daemon; undefined while there is none. */
  get pid(): number | undefined {
    return this.#daemon.pid;
  }

  /** With what it logged last. */
  endedByItself(how: string): PartnerdError {
    return new PartnerdError("check_failed", `the daemon of ${this.name} ended by itself: ${how}\n${this.#daemon.logTail()}`);
  }

  /** Asks its API, unless its process cannot answer now. A failure to answer is no news: what has to come true has a deadline. */
  async look(): Promise<void> {
    const { process, peerId } = this.#state;
    if (process === "frozen" || process === "killed") return;
    const epoch = this.#epoch;
    try {
      if (process === "starting" && (await this.#client.readiness()).status !== "ok") return;
      const self = peerId === null ? await this.#client.self() : undefined;
      const { peers } = await this.#client.peers();
      if (epoch !== this.#epoch) return;
      const known = self === undefined ? {} : { peerId: self.peerId, address: self.addresses[0] ?? null };
      this.#state = { ...this.#state, ...known, process: "running", peers };
    } catch (thrown) {
      if (!(thrown instanceof PartnerdError && thrown.code === "daemon_unreachable")) throw thrown;
    }
  }

  /** The value of one metric, 0 where it is not there. */
  async metric(line: string): Promise<number> {
    try {
      const response = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      const found = (await response.text()).split("\n").find((candidate) => candidate.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1) ?? 0);
    } catch (thrown) {
      throw new PartnerdError("daemon_unreachable", `the metrics of ${this.name} cannot be read: ${messageOf(thrown)}`);
    }
  }

  /** As its app would: to its own nats-server. */
  async publish({ subject, bytes }: RawMessage, signal: AbortSignal): Promise<void> {
    const config = { servers: [this.natsUrl], name: `oc-partnerd demo ${this.name}` };
    await publishOnce(config, subject, bytes, { clock: this.#clock, signal });
  }

  freeze(): void {
    this.#daemon.freeze();
    this.#setProcess("frozen");
  }

  thaw(): void {
    this.#daemon.thaw();
    this.#setProcess("running");
  }

  async kill(): Promise<void> {
    await this.#daemon.kill();
    this.#setProcess("killed");
  }

  /** After `kill`: the same key, the same ports, the same log. */
  restart(): void {
    this.#daemon.start();
    this.#setProcess("starting");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon.stop();
    await this.#owned.disposeAsync();
  }

  #setProcess(process: NodeState["process"]): void {
    this.#epoch++;
    this.#state = { ...this.#state, process, peers: [] };
  }
}
