/** One participant of a federation: its NATS server, its daemon, and a client that publishes like its source app. */
import { type ConfigFile, DaemonProcess } from "./daemon-process.ts";
import { NatsServer } from "./nats-server.ts";
import { type PeerRecord, Publisher } from "./publisher.ts";

export interface Participant extends PeerRecord, AsyncDisposable {
  readonly name: string;
  readonly nats: NatsServer;
  readonly daemon: DaemonProcess;
  readonly publisher: Publisher;
}

export async function startParticipant(name: string, config: ConfigFile = {}): Promise<Participant> {
  await using starting = new AsyncDisposableStack();
  const nats = starting.use(await NatsServer.start());
  const daemon = starting.use(
    await DaemonProcess.start({ config: { name, ...config, nats: { url: nats.url, ...config.nats } } }),
  );
  const publisher = starting.use(await Publisher.connect(nats));
  const { peerId, addresses } = await daemon.self();
  const [address = ""] = addresses;
  const running = starting.move();
  return { name, nats, daemon, publisher, peerId, address, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Starts participants with these names in parallel. `owner` disposes of them. */
export async function startParticipants<Names extends readonly string[]>(
  owner: AsyncDisposableStack,
  names: readonly [...Names],
  config: ConfigFile = {},
): Promise<{ [Index in keyof Names]: Participant }> {
  const starting = await Promise.allSettled(names.map((name) => startParticipant(name, config)));
  for (const start of starting) if (start.status === "fulfilled") owner.use(start.value);
  return starting.map((start) => {
    if (start.status === "rejected") throw start.reason;
    return start.value;
  }) as { [Index in keyof Names]: Participant };
}
