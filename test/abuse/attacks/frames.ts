/** Attacks with yamux frames, after a proper handshake. */

import { FLAG } from "../../../src/p2p/muxer/frame-splitter.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { dataFrame, pingFrame, synFrame } from "../../support/raw-peer.ts";
import { type Attack, flood, withConnections } from "./attack.ts";

const CHUNK = new Uint8Array(64 * 1024);

/** A header that claims 4 GiB, and then bytes. */
export const giantFrames: Attack = (target, signal) =>
  withConnections(4, target, signal, async (connection) => {
    connection.send(dataFrame(1, new Uint8Array(), { flags: FLAG.syn, claimedLength: 0xffff_ffff }));
    await flood(connection, signal, () => CHUNK);
  });

/** Pings whose answers are never read. */
export const pingFlood: Attack = (target, signal) =>
  withConnections(8, target, signal, async (connection) => {
    connection.stopReading();
    let id = 0;
    await flood(connection, signal, () => Buffer.concat(Array.from({ length: 100 }, () => pingFrame(id++))));
  });

/** New streams, as fast as possible: 10,000 in a second. */
export const streamFlood: Attack = (target, signal) =>
  withConnections(8, target, signal, async (connection) => {
    let id = 1;
    await flood(connection, signal, () => {
      const frames = Array.from({ length: 100 }, (_, index) => synFrame(id + 2 * index));
      id += 200;
      return Buffer.concat(frames);
    });
  });

/** Streams at the highest rate that is not cut, none of which ever names a protocol. */
export const idleStreams: Attack = (target, signal) =>
  withConnections(200, target, signal, async (connection) => {
    for (let id = 1; id < 2 * 16; id += 2) connection.send(synFrame(id));
    await Promise.race([connection.closed, new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))]);
  });

const negotiation = (id: number, protocol: string) =>
  Buffer.concat([
    synFrame(id),
    dataFrame(id, Buffer.concat([lengthPrefixed("/multistream/1.0.0\n"), lengthPrefixed(`${protocol}\n`)])),
  ]);
const lengthPrefixed = (text: string) => Buffer.concat([Uint8Array.of(text.length), Buffer.from(text)]);

/** Challenges whose echo is never read. */
export const probeFlood: Attack = (target, signal) =>
  withConnections(16, target, signal, async (connection) => {
    connection.stopReading();
    const ids = [1, 3, 5, 7];
    for (const id of ids) connection.send(negotiation(id, PROBE_PROTOCOL));
    let turn = 0;
    await flood(connection, signal, () => dataFrame(ids[turn++ % ids.length] ?? 1, CHUNK));
  });

/** A heartbeat without an end. */
export const endlessLines: Attack = (target, signal) =>
  withConnections(16, target, signal, async (connection) => {
    connection.send(negotiation(1, PARTNER_PROTOCOL));
    const text = Buffer.from(`{"name":"${"x".repeat(8_000)}`);
    await flood(connection, signal, () => dataFrame(1, text));
  });

/** A heartbeat in the name of another peer. */
export const spoofedIds: Attack = (target, signal) =>
  withConnections(16, target, signal, async (connection) => {
    connection.send(negotiation(1, PARTNER_PROTOCOL));
    connection.send(dataFrame(1, Buffer.from(`{"name":"spoof","did":"did:spoof","peer_id":"${target.peerId}"}\n`)));
    await Promise.race([connection.closed, new Promise((resolve) => setTimeout(resolve, 200))]);
  });

/** A message for each byte. */
export const tinyMessages: Attack = (target, signal) =>
  withConnections(8, target, signal, (connection) => flood(connection, signal, () => Uint8Array.of(0)));
