/** Faults of a broker stream and its consumer, with messages published around them. Pure. */
import type { FixtureLine } from "../../../src/fixture/format/schema.ts";
import type { Draw } from "./draw.ts";

/** The longest time between the first and the last line of a fault. */
const FAULT_MS = 8_000;

/** Faults until `untilMs`, few or many depending on the world. Most come alone, some overlap. */
export function streamFaults(draw: Draw, peers: readonly string[], untilMs: number): FixtureLine[] {
  const lines: FixtureLine[] = [];
  for (const atMs of draw.times(2_000, draw.one([15_000, 60_000, 60_000, 240_000]), untilMs - FAULT_MS * 2)) {
    lines.push(...fault(draw, atMs));
    if (draw.chance(0.3)) lines.push(...fault(draw, atMs + draw.between(0, draw.one([20, 600, FAULT_MS]))));
    if (draw.chance(0.6)) lines.push(...burst(draw, peers, atMs));
  }
  return lines;
}

function fault(draw: Draw, atMs: number): FixtureLine[] {
  const untilMs = atMs + draw.between(5, draw.one([300, FAULT_MS]));
  switch (draw.between(0, 11)) {
    case 0:
    case 1:
      return [{ atMs, broker: "cut" }];
    case 2:
      return [{ atMs, broker: "forget" }];
    case 3:
      return [
        { atMs, broker: "silent" },
        { atMs: untilMs, broker: "up" },
      ];
    case 4:
      return [
        { atMs, broker: "down" },
        { atMs: untilMs, broker: "up" },
      ];
    case 5:
      return [{ atMs, broker: "redeliver" }];
    case 6:
      return [{ atMs, consumer: draw.one(["delete", "rewind"]) }];
    case 7:
      return [{ atMs, stream: "purge", messages: draw.one([0, 0, 1, 3]) }];
    case 8:
      return [{ atMs, stream: "remove", messages: draw.one([0, 1, 2]) }];
    case 9:
      return [{ atMs, stream: "recreate", messages: 0 }];
    default:
      return [{ atMs, stream: "set_back", messages: draw.one([1, 2, 5, 30]) }];
  }
}

/** Messages before, during and after a fault, some of them in bursts. */
function burst(draw: Draw, peers: readonly string[], atMs: number): FixtureLine[] {
  const spreadMs = draw.one([10, 400, FAULT_MS]);
  // Occasionally more than one batch of the log.
  const times = draw.chance(0.1) ? { times: draw.between(60, 200) } : {};
  return Array.from({ length: draw.between(1, 6) }, () => ({
    atMs: Math.max(0, atMs + draw.between(-Math.min(spreadMs, 300), spreadMs)),
    publish: draw.one(peers as [string, ...string[]]),
    relation: draw.one(["PARTNER", "NONE"]),
    remove: false,
    fromApp: "oc-api",
    deliveries: [0],
    ...times,
  }));
}
