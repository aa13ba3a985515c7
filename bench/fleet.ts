/** Starts the process of far ends from the measuring process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type PeerId, parseAddress } from "../src/base/ids.ts";

/** The protocol that the floor opens. The far end only reads, so that the floor has no other cost. */
export const SINK_PROTOCOL = "/oc-partnerd/bench/sink/1.0";

const SCRIPT = fileURLToPath(new URL("./hosts.ts", import.meta.url));

export interface FleetRequest {
  readonly hosts: number;
  readonly blackHoles: number;
}

/** Multiaddrs that end in a /p2p/ part. */
export interface FleetReply {
  readonly hosts: readonly string[];
  readonly blackHoles: readonly string[];
}

export interface FarEnd {
  readonly peerId: PeerId;
  /** A multiaddr that ends in a /p2p/ part. */
  readonly address: string;
}

export interface Fleet extends AsyncDisposable {
  readonly hosts: readonly FarEnd[];
  readonly blackHoles: readonly FarEnd[];
}

/** Resolves once all of them listen, on free ports of 127.0.0.1. */
export async function startFleet(request: FleetRequest): Promise<Fleet> {
  const child = fork(SCRIPT, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(child, "exit");
  child.send(request);
  const ended = exited.then(([code, signal]) => {
    throw new Error(`the process of far ends exited with ${code ?? signal} before it was listening`);
  });
  const [{ hosts, blackHoles }] = (await Promise.race([once(child, "message"), ended])) as [FleetReply];
  return {
    hosts: hosts.map(farEnd),
    blackHoles: blackHoles.map(farEnd),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

function farEnd(address: string): FarEnd {
  const peerId = parseAddress(address)?.peerId;
  if (peerId === undefined) throw new Error(`${address} does not end in a PeerID`);
  return { address, peerId };
}
