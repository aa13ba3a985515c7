/** Raw bytes on a connection of the HTTP server. */
import { Duplex } from "node:stream";
import fc from "fast-check";
import { refusalOf } from "../../../src/http/access.ts";
import { SECURITY_HEADERS } from "../../../src/http/answers.ts";
import { createListener } from "../../../src/http/listener.ts";
import { chunksOf, sizesFrom } from "../engine/chunks.ts";
import { app } from "../http-stage.ts";
import { promise, type Target } from "../target.ts";

const server = createListener(app, (facts) =>
  refusalOf(facts, { hosts: new Set(["localhost"]), tokens: { read: undefined, write: undefined }, openMetrics: true }),
);

const line = fc.oneof(
  fc.constantFrom(
    "Host: localhost",
    "Host: evil",
    "Connection: close",
    "Content-Length: 5",
    "Content-Length: -1",
    "Transfer-Encoding: chunked",
  ),
  fc.constantFrom("Expect: 100-continue", "Upgrade: h2c", "Connection: Upgrade", "Origin: http://localhost", "Range: bytes=0-"),
  fc.string({ maxLength: 20 }).map((text) => `X-${text}: ${text}`),
);
const request = fc
  .record({
    start: fc.oneof(
      fc.constantFrom(
        "GET / HTTP/1.1",
        "POST /v1/resync HTTP/1.1",
        "GET /livez HTTP/1.0",
        "HEAD / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
      ),
      fc.webPath().map((path) => `GET ${path} HTTP/1.1`),
      fc.string({ maxLength: 30 }),
    ),
    lines: fc.array(line, { maxLength: 6 }),
    body: fc.constantFrom("", "", "hello", "5\r\nhello\r\n0\r\n\r\n", "ffffffffff\r\n"),
  })
  .map(({ start, lines, body }) => [start, ...lines, "", body].join("\r\n"));

/** Turns of the event loop that an answer may take. */
const MOST_TURNS = 2_000;

export const httpBytes: Target = {
  name: "http-bytes",
  what: "src/http/listener.ts",
  arbitrary: fc.array(request, { minLength: 1, maxLength: 3 }).map((requests) => Buffer.from(requests.join(""))),
  async run(input) {
    const socket = new Socket();
    server.emit("connection", socket);
    for (const chunk of chunksOf(input, sizesFrom(input, 4_096))) if (!socket.destroyed) socket.push(chunk);
    if (!socket.destroyed) socket.push(null);
    for (let turn = 0; turn < MOST_TURNS && !socket.destroyed; turn++) await new Promise((resolve) => setImmediate(resolve));
    const isClosed = socket.destroyed;
    socket.destroy();
    promise(isClosed, "the connection closes after the end of input");
    check(Buffer.concat(socket.written).toString("latin1"));
  },
};

class Socket extends Duplex {
  readonly written: Uint8Array[] = [];
  bytesWritten = 0;

  override _read(): void {}

  /** As in net.Socket; the server calls it after its last answer. */
  destroySoon(): void {
    this.end(() => this.destroy());
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.bytesWritten += chunk.length;
    done();
  }
}

const STATUSES = new Set(["100", "200", "202", "400", "403", "404", "405", "408", "409", "413", "421", "431", "503"]);

function check(answer: string): void {
  if (answer === "") return;
  promise(answer.startsWith("HTTP/1.1 "), "an answer is HTTP", answer.slice(0, 80));
  for (const head of answer.matchAll(/HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(.*?)\r\n\r\n/gs)) {
    const [, status = "", lines = ""] = head;
    promise(STATUSES.has(status), "a status is documented", status);
    if (status === "100") continue;
    for (const [name, value] of Object.entries(SECURITY_HEADERS))
      promise(lines.toLowerCase().includes(`${name}: ${value}`.toLowerCase()), `an answer has the header ${name}`, lines);
  }
}
