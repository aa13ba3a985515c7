/** A NATS server without JetStream in this process, for a few clients that connect, publish and subscribe. */
import { createServer, type Socket } from "node:net";

export interface FakeNats extends AsyncDisposable {
  readonly url: string;
  /** The messages that were published, oldest first. */
  readonly published: readonly { readonly subject: string; readonly text: string }[];
  /** Sends a message to each subscription of this very subject. Returns how many there are. */
  send(subject: string, text: string): number;
}

const INFO = { server_id: "fake", version: "2.10.0", proto: 1, headers: true, max_payload: 1_048_576 };

export async function startFakeNats(): Promise<FakeNats> {
  const sockets = new Set<Socket>();
  const published: { subject: string; text: string }[] = [];
  const subscriptions: { subject: string; id: string; socket: Socket }[] = [];
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).setEncoding("latin1"));
    let unread = "";
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
    socket.on("data", (chunk: string) => {
      unread += chunk;
      for (let end = unread.indexOf("\r\n"); end >= 0; end = unread.indexOf("\r\n")) {
        const [verb = "", subject = "", ...words] = unread.slice(0, end).split(" ");
        const size = verb === "PUB" ? Number(words.at(-1)) + 2 : 0;
        if (unread.length < end + 2 + size) return;
        if (verb === "PING") socket.write("PONG\r\n");
        if (verb === "SUB") subscriptions.push({ subject, id: words.at(-1) ?? "", socket });
        if (verb === "PUB") published.push({ subject, text: unread.slice(end + 2, end + size) });
        unread = unread.slice(end + 2 + size);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `nats://127.0.0.1:${port}`,
    published,
    send: (subject, text) => {
      const subscribers = subscriptions.filter((each) => each.subject === subject);
      for (const { id, socket } of subscribers) socket.write(`MSG ${subject} ${id} ${Buffer.byteLength(text)}\r\n${text}\r\n`);
      return subscribers.length;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
