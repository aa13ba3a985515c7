/** A nats-server with the accounts of docs/OPERATING.md: the documented permissions suffice, and a missing one is reported. */
import { AckPolicy, connect, type JetStreamManager, type NatsConnection } from "nats";
import { describe, expect, test } from "vitest";
import { setUp } from "../../src/nats/setup/setup.ts";
import { DaemonProcess } from "../support/daemon-process.ts";
import { NatsServer } from "../support/nats-server.ts";
import {
  ADMIN,
  accountsWithout,
  DOCUMENTED_ACCOUNTS,
  documented,
  headPermissionsOf,
  permissionsOf,
  withAdmin,
} from "../support/operating-docs.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { Publisher } from "../support/publisher.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";

const [STREAM, CONSUMER] = ["OC_RESOURCES", "oc-partnerd"];
const peer = async (seed: number) => {
  const peerId = await peerIdOfSeed(seed);
  return { peerId, address: `/ip4/127.0.0.1/tcp/9/p2p/${peerId}` };
};
const [first, second, third] = await Promise.all([peer(1), peer(2), peer(3)]);

const startServer = () => NatsServer.start({ jetStream: true, config: withAdmin(DOCUMENTED_ACCOUNTS) });

function setup(nats: NatsServer, user: "setup" | "partnerd" | "publisher") {
  const { password } = documented(user);
  const env = { OCPARTNERD_NATS_USER: user, OCPARTNERD_NATS_PASSWORD: password };
  return runCommand(["setup", "--nats", nats.url], { env });
}

const startDaemon = (nats: NatsServer) =>
  DaemonProcess.start({ config: { nats: { url: nats.url, mode: "jetstream", ...documented("partnerd") } } });

const publisherAt = (nats: NatsServer) => {
  const { user, password } = documented("publisher");
  return Publisher.connect(nats, { user, pass: password });
};

async function natsCheck(daemon: DaemonProcess): Promise<string> {
  const { body } = await daemon.health("/readyz");
  return body.checks.find(({ name }) => name === "nats")?.message ?? "";
}

const logged = (daemon: DaemonProcess, peerId: string) =>
  daemon.count("select count(*) from event_log where type = 'PeerDesired' and peer_id = ?", peerId);

class Admin implements AsyncDisposable {
  readonly #client: NatsConnection;
  readonly manager: JetStreamManager;
  private constructor(client: NatsConnection, manager: JetStreamManager) {
    this.#client = client;
    this.manager = manager;
  }
  static async connect(nats: NatsServer): Promise<Admin> {
    const client = await connect({ servers: nats.url, user: ADMIN.user, pass: ADMIN.password });
    return new Admin(client, await client.jetstreamManager());
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}

describe.concurrent("the documented permissions", () => {
  test("let only the setup user run setup", async () => {
    await using nats = await startServer();
    expectFailure(await setup(nats, "partnerd"), 69, ['denies the publish "$JS.API.INFO"', "docs/OPERATING.md"]);
    expectFailure(await setup(nats, "publisher"), 69, ["denies"]);
    expect(await setup(nats, "setup")).toMatchObject({ code: 0, stderr: "" });
    expect(await setup(nats, "setup")).toMatchObject({ code: 0, stderr: "" });

    await using admin = await Admin.connect(nats);
    const { user, password } = documented("partnerd");
    const client = await connect({ servers: nats.url, user, pass: password });
    const { streams } = await client.jetstreamManager({ checkAPI: false });
    await expect(streams.add({ name: "MINE", subjects: ["mine"] })).rejects.toThrow("Permissions Violation");
    await expect(streams.update(STREAM, { max_msgs: 1 })).rejects.toThrow("Permissions Violation");
    await expect(streams.purge(STREAM)).rejects.toThrow("Permissions Violation");
    await expect(streams.delete(STREAM)).rejects.toThrow("Permissions Violation");
    await client.close();
    expect((await admin.manager.streams.info(STREAM)).config.max_msgs).toBe(-1);
  });

  test("let the setup user verify and repair the stream", async () => {
    await using nats = await startServer();
    await using admin = await Admin.connect(nats);
    await admin.manager.streams.add({ name: STREAM, subjects: ["CREATE_RESOURCE"] });
    await admin.manager.consumers.add(STREAM, { durable_name: CONSUMER, ack_policy: AckPolicy.Explicit });
    expect(await setup(nats, "setup")).toMatchObject({ code: 0, stderr: "" });
    expect((await admin.manager.streams.info(STREAM)).config.no_ack).toBe(true);
    expect((await admin.manager.consumers.info(STREAM, CONSUMER)).config.ack_policy).toBe("all");
  });

  test.each(permissionsOf("setup"))("setup reports if %s is missing", async (subject) => {
    await using nats = await NatsServer.start({ jetStream: true, config: withAdmin(accountsWithout("setup", subject)) });
    if (/UPDATE|DELETE/.test(subject)) {
      await using admin = await Admin.connect(nats);
      await admin.manager.streams.add({ name: STREAM, subjects: ["CREATE_RESOURCE"] });
      await admin.manager.consumers.add(STREAM, { durable_name: CONSUMER, ack_policy: AckPolicy.Explicit });
    }
    const { user, password } = documented("setup");
    const client = await connect({ servers: nats.url, user, pass: password });
    const subjects = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];
    await expect(setUp(client, { stream: STREAM, consumer: CONSUMER, subjects, limits: {} })).rejects.toMatchObject({
      code: "nats_denied",
      message: expect.stringContaining(`denies the publish "${subject}"`) as string,
    });
    await client.close();
  });

  test("let the daemon read, also after its consumer was deleted and after a restart", async () => {
    await using nats = await startServer();
    await setup(nats, "setup");
    await using daemon = await startDaemon(nats);
    await using publisher = await publisherAt(nats);
    await publisher.relate(first, "PARTNER");
    await daemon.until("the event is logged", () => logged(daemon, first.peerId) === 1);

    await using admin = await Admin.connect(nats);
    await admin.manager.consumers.delete(STREAM, CONSUMER);
    await publisher.relate(second, "PARTNER");
    await daemon.until("the event after the deletion is logged", () => logged(daemon, second.peerId) === 1);

    await daemon.stop();
    await publisher.relate(third, "PARTNER");
    await daemon.start();
    await daemon.until("the event of between is logged", () => logged(daemon, third.peerId) === 1);
    const denials = daemon.logLines().filter((line) => /denies/.test(JSON.stringify(line)));
    expect(denials).toEqual([]);
    await daemon.until("everything is acknowledged", async () => {
      const { num_ack_pending: pending, ack_floor: floor } = await admin.manager.consumers.info(STREAM, CONSUMER);
      return pending === 0 && floor.stream_seq === 3;
    });
  });
});

describe("if a permission of the daemon is missing", () => {
  test("status names it, and the daemon resumes by itself when it is granted", async () => {
    await using nats = await startServer();
    await setup(nats, "setup");
    await using daemon = await startDaemon(nats);
    await using admin = await Admin.connect(nats);
    let sequence = 0;
    const publish = async () => {
      await using publisher = await publisherAt(nats);
      await publisher.relate(first, sequence++ % 2 === 0 ? "PARTNER" : "NONE");
    };
    const rows = () => daemon.count("select count(*) from event_log where source = 'oc-api'");
    await publish();
    await daemon.until("the first event is logged", () => rows() === 1);

    for (const subject of permissionsOf("partnerd")) {
      await nats.reconfigure(withAdmin(accountsWithout("partnerd", subject)));
      // Makes the daemon start reading again, from a recreated consumer.
      await admin.manager.consumers.delete(STREAM, CONSUMER);
      await publish();
      await daemon.until(`the lack of ${subject} is told`, async () =>
        (await natsCheck(daemon)).includes(subject.replace(/\.>$/, "")),
      );
      await nats.reconfigure(withAdmin(DOCUMENTED_ACCOUNTS));
      await daemon.until(`everything is well again after ${subject}`, async () => {
        return (await daemon.health("/readyz")).status === 200 && rows() === sequence;
      });
    }
  });
});

describe("if a permission for published heads is missing", () => {
  const startWithout = (user: "setup" | "partnerd", subject: string) =>
    NatsServer.start({ jetStream: true, config: withAdmin(accountsWithout(user, subject)) });

  test.each(headPermissionsOf("setup"))("setup does the rest without %s, and says so", async (subject) => {
    await using nats = await startWithout("setup", subject);
    await using admin = await Admin.connect(nats);
    if (subject.includes("UPDATE")) await admin.manager.streams.add({ name: "OC_PARTNERD_HEADS", subjects: ["x"] });
    const { code, stdout } = await setup(nats, "setup");
    expect(code).toBe(0);
    expect(stdout).toContain("stream OC_RESOURCES was created");
    expect(stdout).toMatch(/stream OC_PARTNERD_HEADS is not set up/);
    expect(stdout).toContain(`denies the publish "${subject}"`);
  });

  test("the daemon warns once, and stays ready", async () => {
    await using nats = await startWithout("partnerd", "oc-partnerd.heads.*");
    await setup(nats, "setup");
    await using daemon = await startDaemon(nats);
    const warnings = () => daemon.logLines().filter(({ msg }) => /heads of the event log are not published/.test(String(msg)));
    await daemon.until("the daemon warns", () => warnings().length === 1);
    expect(warnings()).toMatchObject([{ code: "nats_denied", error: expect.stringContaining("oc-partnerd.heads.") as string }]);
    const { status, body } = await daemon.health("/readyz");
    expect(status).toBe(200);
    expect(body.checks.find(({ name }) => name === "event_log")?.message).toMatch(
      /; cannot publish the head of the log: .*denies/,
    );
  });
});
