import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { Secret } from "../../src/base/setting-file.ts";
import type { NatsTlsConfig } from "../../src/nats/connection/config.ts";
import { PersistentConnection } from "../../src/nats/connection/connection.ts";
import { natsAnswers } from "../../src/nats/connection/tls-first.ts";
import { publishOnce } from "../../src/nats/publish.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith, matching } from "../support/matchers.ts";
import { NatsServer } from "../support/nats-server.ts";
import { serversAt } from "../support/nats-servers.ts";
import { paceMs } from "../support/pace/pace.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { startTlsFirstProxy } from "../support/tls-first-proxy.ts";
import { until } from "../support/until.ts";

const directory = temporaryDirectory();
afterAll(() => directory[Symbol.dispose]());
const file = (name: string) => join(directory.path, name);

/** Creates a certificate and key in `<name>.pem` and `<name>.key`, signed by `ca` or self-signed. */
function certificate(name: string, extension: string, ca?: string): void {
  const issuer = ca === undefined ? [] : ["-CA", file(`${ca}.pem`), "-CAkey", file(`${ca}.key`)];
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", file(`${name}.key`)];
  const request = [
    "req",
    "-x509",
    ...key,
    "-out",
    file(`${name}.pem`),
    "-subj",
    `/CN=${name}`,
    "-days",
    "2",
    "-addext",
    extension,
  ];
  execFileSync("openssl", [...request, ...issuer], { stdio: ["ignore", "ignore", "pipe"] });
}

const serverTls = (name: string, verify = false) =>
  `tls { cert_file: "${file(`${name}.pem`)}", key_file: "${file(`${name}.key`)}", ca_file: "${file("ca.pem")}", verify: ${verify} }`;

function open(url: string, tls?: NatsTlsConfig) {
  const connection = new PersistentConnection(
    { servers: serversAt(url), name: "test", tls },
    { clock: systemClock, random: systemRandom, logger: new RecordingLogger() },
  );
  onTestFinished(() => connection[Symbol.asyncDispose]());
  return {
    connected: () => until("connected", () => connection.status().state === "connected"),
    refused: async () => {
      await until("refused", () => connection.status().lastError !== null);
      return connection.status();
    },
  };
}

describe.skipIf(spawnSync("openssl", ["version"]).status !== 0)("TLS (needs the openssl program)", () => {
  beforeAll(() => {
    certificate("ca", "keyUsage=keyCertSign");
    certificate("server", "subjectAltName=IP:127.0.0.1", "ca");
    certificate("elsewhere", "subjectAltName=DNS:localhost", "ca");
    certificate("client", "subjectAltName=DNS:client", "ca");
    certificate("stranger", "subjectAltName=DNS:stranger");
  });

  it("trusts the configured authority for the dialled address", async () => {
    await using server = await NatsServer.start({ config: serverTls("server") });
    await open(server.url, { caFile: file("ca.pem") }).connected();
    await open(server.url.replace("nats:", "tls:"), { caFile: file("ca.pem") }).connected();
  });

  it("rejects an unknown authority, and a certificate for another name", async () => {
    await using server = await NatsServer.start({ config: serverTls("server") });
    expect(await open(server.url).refused()).toMatchObject({
      state: "connecting",
      lastError: expect.stringMatching(/certificate/) as string,
    });
    await using elsewhere = await NatsServer.start({ config: serverTls("elsewhere") });
    expect((await open(elsewhere.url, { caFile: file("ca.pem") }).refused()).lastError).toMatch(
      /127\.0\.0\.1.*is not in the cert/,
    );
  });

  it("sends our certificate to a server that requires one", async () => {
    await using server = await NatsServer.start({ config: serverTls("server", true) });
    const caFile = file("ca.pem");
    await open(server.url, { caFile, certFile: file("client.pem"), keyFile: file("client.key") }).connected();
    expect((await open(server.url, { caFile }).refused()).state).toBe("connecting");
    expect(
      (await open(server.url, { caFile, certFile: file("stranger.pem"), keyFile: file("stranger.key") }).refused()).state,
    ).toBe("connecting");
  });

  describe("with a server that wants the handshake before its greeting", () => {
    const tlsFirst = async (owner: AsyncDisposableStack, name: string) => {
      const server = owner.use(await NatsServer.start());
      const [key, cert] = [readFileSync(file(`${name}.key`)), readFileSync(file(`${name}.pem`))];
      return owner.use(await startTlsFirstProxy(server.port, { key, cert })).port;
    };

    it.each([
      ["nats", undefined],
      ["tls", undefined],
      ["nats", "auto"],
      ["nats", "yes"],
    ] as const)("connects to %s:// if nats.tls.handshakeFirst is %s", async (scheme, handshakeFirst) => {
      await using owner = new AsyncDisposableStack();
      const port = await tlsFirst(owner, "server");
      await open(`${scheme}://127.0.0.1:${port}`, { caFile: file("ca.pem"), handshakeFirst }).connected();
    });

    it("does not connect if its certificate is for another name or not trusted, and says so", async () => {
      await using owner = new AsyncDisposableStack();
      const elsewhere = await tlsFirst(owner, "elsewhere");
      const server = await tlsFirst(owner, "server");
      const caFile = file("ca.pem");
      expect((await open(`nats://127.0.0.1:${elsewhere}`, { caFile }).refused()).lastError).toMatch(
        /127\.0\.0\.1.*is not in the cert/,
      );
      expect((await open(`nats://127.0.0.1:${server}`).refused()).lastError).toMatch(/certificate/);
    });

    it("is found, also if its certificate is not trusted: connecting then says so", async () => {
      await using owner = new AsyncDisposableStack();
      const port = await tlsFirst(owner, "server");
      const limitMs = paceMs(1_000);
      expect(await natsAnswers("127.0.0.1", port, limitMs, systemClock, { caFile: file("ca.pem") })).toBe(true);
      expect(await natsAnswers("127.0.0.1", port, limitMs, systemClock)).toBe(true);
    });

    it("is not one that greets first, for which handshakeFirst must not be yes", async () => {
      await using server = await NatsServer.start({ config: serverTls("server") });
      const tls = { caFile: file("ca.pem"), handshakeFirst: "yes" } as const;
      const clock = systemClock;
      await expect(
        publishOnce({ servers: serversAt(server.url), name: "test", tls }, "s", Buffer.of(), { clock }),
      ).rejects.toMatchObject({ code: "nats_unavailable", nextStep: matching(/handshakeFirst to auto/) });
    });
  });

  describe("with an HTTPS server where NATS should be", () => {
    /** `greeting`: sent inside TLS, as some servers answer a silent client. `received` has everything that clients send inside it. */
    const startHttps = async (greeting = "") => {
      const sockets = new Set<Socket>();
      let received = "";
      const server = createServer({ key: readFileSync(file("server.key")), cert: readFileSync(file("server.pem")) });
      server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {}))).on("tlsClientError", () => {});
      server.on("secureConnection", (socket) => {
        socket.prependListener("data", (chunk: Buffer) => {
          received += chunk.toString("latin1");
        });
        socket.write(greeting);
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      onTestFinished(() => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      return { port, received: () => received };
    };
    const publishTo = (url: string, tls: NatsTlsConfig = {}) => {
      const config = { servers: serversAt(url), name: "test", tls, user: "anna", password: new Secret("a-secret") };
      return publishOnce(config, "s", Buffer.of(), { clock: systemClock, timeoutMs: paceMs(2_000) });
    };

    it.each(["nats", "tls"])("%s:// names both causes of its untrusted certificate, and sends it nothing", async (scheme) => {
      const { port, received } = await startHttps();
      await expect(publishTo(`${scheme}://127.0.0.1:${port}`)).rejects.toMatchObject({
        code: "nats_unavailable",
        message: matching(
          new RegExp(`^NATS at 127.0.0.1:${port}: TLS failed, and nothing there has greeted as NATS does: .*certificate`),
        ),
        nextStep: matching(/^if another program listens there, set nats\.url to a NATS server; otherwise check nats\.tls/),
      });
      expect(received()).toBe("");
    });

    it("says that it is not NATS if it answers inside TLS, and sends it nothing", async () => {
      const { port, received } = await startHttps("HTTP/1.1 408 Request Timeout\r\n\r\n");
      await expect(publishTo(`nats://127.0.0.1:${port}`, { caFile: file("ca.pem") })).rejects.toMatchObject({
        message: `NATS at 127.0.0.1:${port}: the server there is not NATS`,
        nextStep: matching(/another program listens there/),
      });
      expect(received()).toBe("");
    });

    it("says that it does not greet if it waits for a request, and sends it nothing", async () => {
      const { port, received } = await startHttps();
      await expect(publishTo(`nats://127.0.0.1:${port}`, { caFile: file("ca.pem") })).rejects.toMatchObject({
        message: matching(new RegExp(`^NATS at 127.0.0.1:${port}: no (greeting|connection) within `)),
      });
      expect(received()).toBe("");
    });
  });

  it("is required by tls://, so a server without TLS is not used", async () => {
    await using server = await NatsServer.start();
    expect((await open(server.url.replace("nats:", "tls:")).refused()).lastError).toMatch(/does not offer tls/);
  });

  it("rejects unusable files at once, naming setting and file", () => {
    writeFileSync(file("garbage"), "garbage");
    const openWith = (tls: NatsTlsConfig) => () => open("nats://127.0.0.1", tls);
    const [certFile, keyFile] = [file("client.pem"), file("client.key")];
    expect(openWith({ caFile: "/nowhere" })).toThrow(errorWith("config_invalid", /nats\.tls\.caFile: cannot read "\/nowhere"/));
    expect(openWith({ caFile: file("garbage") })).toThrow(
      errorWith("config_invalid", /nats\.tls\.caFile: ".*garbage" contains no certificate/),
    );
    expect(openWith({ certFile })).toThrow(errorWith("config_invalid", /certFile is set without nats\.tls\.keyFile/));
    expect(openWith({ keyFile })).toThrow(errorWith("config_invalid", /keyFile is set without nats\.tls\.certFile/));
    expect(openWith({ certFile, keyFile: certFile })).toThrow(
      errorWith("config_invalid", /keyFile: ".*client.pem" contains no unencrypted private key/),
    );
    expect(openWith({ certFile, keyFile: file("ca.key") })).toThrow(errorWith("config_invalid", /ca.key" does not belong to/));
  });
});
