/** All attacks, by name. */
import type { Attack } from "./attack.ts";
import {
  endlessLines,
  giantFrames,
  idleStreams,
  pingFlood,
  probeFlood,
  spoofedIds,
  streamFlood,
  tinyMessages,
} from "./frames.ts";
import { garbage, idleHttpConnections, silentSockets, slowHandshakes } from "./sockets.ts";
import { flappingStrangers, thousandsOfStrangers } from "./strangers.ts";

export const ATTACKS = {
  "giant frames": giantFrames,
  "ping flood": pingFlood,
  "stream flood": streamFlood,
  "idle streams": idleStreams,
  "tiny messages": tinyMessages,
  "probe flood": probeFlood,
  "endless lines": endlessLines,
  "spoofed ids": spoofedIds,
  "silent sockets": silentSockets,
  "slow handshakes": slowHandshakes,
  garbage,
  "thousands of strangers": thousandsOfStrangers,
  "flapping strangers": flappingStrangers,
  "idle HTTP connections": idleHttpConnections,
} as const satisfies Record<string, Attack>;

export type AttackName = keyof typeof ATTACKS;
