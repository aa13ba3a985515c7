/** Draws attacks of hostile peers. Pure. */
import { ATTACKS, type FixtureLine } from "../../../src/fixture/format/schema.ts";
import type { Draw } from "./draw.ts";

const [FIRST, ...OTHERS] = ATTACKS;

export function attack(draw: Draw, atMs: number, peer: string): FixtureLine {
  return { atMs, peer, attacks: draw.one([FIRST, ...OTHERS]), forMs: draw.between(100, draw.one([1_000, 5_000, 15_000])) };
}

/** Of peers that no event names. */
export function strangersAttack(draw: Draw, atMs: number): FixtureLine[] {
  return Array.from({ length: draw.between(1, 4) }, (_, index) => attack(draw, atMs, `attacker-${index + 1}`));
}

/** In one world of five: a few attacks of partners and strangers until `untilMs`. */
export function someAttacks(draw: Draw, peers: readonly string[], untilMs: number): FixtureLine[] {
  if (!draw.chance(0.2)) return [];
  return Array.from({ length: draw.between(1, 4) }, () => {
    const atMs = draw.between(0, untilMs);
    return draw.chance(0.5) ? [attack(draw, atMs, draw.one(peers as [string, ...string[]]))] : strangersAttack(draw, atMs);
  }).flat();
}
