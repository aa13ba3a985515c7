/** How soon faults of a Go far end are noticed and healed. The reporter prints the measurements as a table. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { GoPartner } from "./support/go-partner.ts";
import { type Fault, measureFault } from "./support/measure-fault.ts";
import { NO_PACKET_LOSS, startLossyRelay, through } from "./support/network.ts";

/** How soon the dialling end dials again after it has seen the end of its stream. */
const REDIAL = ["-redial", "500ms"] as const;

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-liveness-"));
let lyon: Participant;

beforeAll(async () => {
  if (inject("partners") !== null) lyon = await startParticipant("lyon");
});
afterAll(async () => {
  await lyon?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe.skipIf(inject("partners") === null).concurrent("liveness", () => {
  test("killed, and started again after 30 s", async (context) => {
    const key = ["-key-file", join(directory, "killed.key")];
    using first = await GoPartner.start("newest", ...key);
    let second: GoPartner | undefined;
    const end = async () => {
      second = await GoPartner.start("newest", ...key, "-listen", `/ip4/127.0.0.1/tcp/${first.port}`);
    };
    await measureFault(context, lyon, first, "outbound", { begin: () => first.kill(), end });
    second?.[Symbol.dispose]();
  });

  test("frozen (SIGSTOP) for 30 s", async (context) => {
    using go = await GoPartner.start("newest");
    await measureFault(context, lyon, go, "outbound", { begin: () => go.send("SIGSTOP"), end: () => go.send("SIGCONT") });
  });

  test("network black-holed for 30 s", async (context) => {
    await using network = await behindProxy();
    const { peer, proxy } = network;
    await measureFault(context, lyon, peer, "outbound", { begin: () => proxy.pause(), end: () => proxy.resume() });
  });

  test("connection forgotten by a router", async (context) => {
    await using network = await behindProxy();
    await measureFault(context, lyon, network.peer, "outbound", { begin: () => network.proxy.forget() });
  });

  test("connection reset", async (context) => {
    await using network = await behindProxy();
    await measureFault(context, lyon, network.peer, "outbound", { begin: () => network.proxy.drop() });
  });

  test("all packets lost for 30 s", async (context) => {
    context.skip(NO_PACKET_LOSS !== undefined, NO_PACKET_LOSS);
    using go = await GoPartner.start("newest");
    using relay = await startLossyRelay(go.port, 0);
    await measureFault(context, lyon, through(relay.port, go), "outbound", lostPackets(relay));
  });
});

describe.skipIf(inject("partners") === null).concurrent("liveness of the dialling end", () => {
  test("killed, and started again after 30 s", async (context) => {
    const key = ["-key-file", join(directory, "killed-dialler.key")];
    using first = await GoPartner.start("newest", ...key, lyon.address);
    let second: GoPartner | undefined;
    const end = async () => {
      second = await GoPartner.start("newest", ...key, lyon.address);
    };
    await measureFault(context, lyon, first, "inbound", { begin: () => first.kill(), end });
    second?.[Symbol.dispose]();
  });

  test("frozen (SIGSTOP) for 30 s", async (context) => {
    using go = await GoPartner.start("newest", ...REDIAL, lyon.address);
    await measureFault(context, lyon, go, "inbound", { begin: () => go.send("SIGSTOP"), end: () => go.send("SIGCONT") });
  });

  test("network black-holed for 30 s", async (context) => {
    await using network = await diallingThroughProxy();
    await measureFault(context, lyon, network.go, "inbound", {
      begin: () => network.proxy.pause(),
      end: () => network.proxy.resume(),
    });
  });

  test("all packets lost for 30 s", async (context) => {
    context.skip(NO_PACKET_LOSS !== undefined, NO_PACKET_LOSS);
    using relay = await startLossyRelay(lyon.daemon.p2pPort, 0);
    using go = await GoPartner.start("newest", ...REDIAL, through(relay.port, lyon).address);
    await measureFault(context, lyon, go, "inbound", { ...lostPackets(relay), learns: "late" });
  });

  test("connection forgotten by a router", async (context) => {
    await using network = await diallingThroughProxy();
    await measureFault(context, lyon, network.go, "inbound", { begin: () => network.proxy.forget(), learns: "never" });
  });

  test("connection reset", async (context) => {
    await using network = await diallingThroughProxy();
    await measureFault(context, lyon, network.go, "inbound", { begin: () => network.proxy.drop() });
  });
});

function lostPackets(relay: GoPartner): Fault {
  return { begin: () => relay.send("SIGUSR1"), end: () => relay.send("SIGUSR2") };
}

/** A partner that dials us through a proxy. */
async function diallingThroughProxy() {
  const proxy = await startTcpProxy(lyon.daemon.p2pPort);
  const go = await GoPartner.start("newest", ...REDIAL, through(proxy.port, lyon).address);
  const dispose = async () => {
    go[Symbol.dispose]();
    await proxy[Symbol.asyncDispose]();
  };
  return { go, proxy, [Symbol.asyncDispose]: dispose };
}

/** A partner behind a proxy, with the address that our daemon knows. */
async function behindProxy() {
  const go = await GoPartner.start("newest");
  const proxy = await startTcpProxy(go.port);
  const peer = through(proxy.port, go);
  const dispose = async () => {
    go[Symbol.dispose]();
    await proxy[Symbol.asyncDispose]();
  };
  return { peer, proxy, [Symbol.asyncDispose]: dispose };
}
