/** Errors that js-libp2p does not export, with the names and messages that src/p2p/heartbeat/open-errors.ts tells them apart by. */
import type { PeerId } from "../../base/ids.ts";

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

export const connectionRefused = (address: string): Error =>
  Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: "ECONNREFUSED" });

export const connectionReset = (): Error => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });

export const dialDenied = (): Error => named("DialDeniedError", "The dial request is blocked by the gater");

export const connectionIntercepted = (): Error =>
  named("ConnectionInterceptedError", "The connection is blocked by the gater after its encryption");

export const unexpectedPeer = (actual: PeerId, expected: PeerId): Error =>
  named("EncryptionFailedError", `Payload identity key ${actual} does not match expected remote identity key ${expected}`);
