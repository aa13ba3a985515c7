/** A participant of the demo: a daemon with its own nats-server and directory, and the last answer of its API. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { silentLogger } from "../../base/log.ts";
import type { RawMessage } from "../../events/decode.ts";
import { ANSWER_TIMEOUT_MS, type DaemonClient, daemonClient } from "../../http/client.ts";
import { parseNatsUrl } from "../../nats/connection/server-address.ts";
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
  /** Called when the daemon exits without being told to. */
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
  /** Counts changes of #state by a method, so that an API answer to an earlier request is discarded. */
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

  /** Starts the nats-server and then the daemon. `state` tells when the daemon is ready. */
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

  /** Base URL of the API. */
  get url(): string {
    return `http://${this.http.host}:${this.http.port}`;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** PeerID and address. Throws if the API has not answered yet. */
  get identity(): { readonly peerId: PeerId; readonly address: string } {
    const { peerId, address } = this.#state;
    if (peerId === null || address === null)
      throw new PartnerdError("internal_error", `the PeerID of ${this.name} is not known yet`);
    return { peerId: peerId as PeerId, address };
  }

  /** The daemon's pid; undefined if it is not running. */
  get pid(): number | undefined {
    return this.#daemon.pid;
  }

  /** The error for a daemon that exited by itself, with the last lines of its log. */
  endedByItself(how: string): PartnerdError {
    return new PartnerdError("check_failed", `the daemon of ${this.name} exited unexpectedly: ${how}\n${this.#daemon.logTail()}`);
  }

  /** Queries the API, unless the process cannot answer now. A failure is ignored, because every step has a deadline. */
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

  /** The value of a metric, or 0 if it does not exist. */
  async metric(line: string): Promise<number> {
    try {
      const response = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      const found = (await response.text()).split("\n").find((candidate) => candidate.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1) ?? 0);
    } catch (thrown) {
      throw new PartnerdError("daemon_unreachable", `cannot read the metrics of ${this.name}: ${messageOf(thrown)}`);
    }
  }

  /** Publishes a message to the participant's own nats-server, as its app would. */
  async publish({ subject, bytes }: RawMessage, signal: AbortSignal): Promise<void> {
    const config = { servers: parseNatsUrl(this.natsUrl).servers, name: `oc-partnerd demo ${this.name}` };
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

  /** Restarts the daemon after `kill`, with the same key, ports and log. */
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
