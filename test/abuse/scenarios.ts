/** Attacks, each with the daemon that it attacks. */
import type { ConfigFile } from "../support/daemon-process.ts";
import { ATTACKS, type AttackName } from "./attacks/all.ts";

export interface Surroundings {
  readonly p2p?: ConfigFile["p2p"];
  /** The limit of open files of the daemon's process; undefined for the machine's own. */
  readonly openFiles?: number;
}

export interface Scenario {
  readonly name: string;
  readonly attack: AttackName;
  readonly surroundings: Surroundings;
}

const ORDINARY: Surroundings = {};
/** Room for the canaries and little else. */
const SMALL_TABLE = (canaries: number): Surroundings => ({ p2p: { maxConnections: 4 * canaries } });
const FEW_DESCRIPTORS: Surroundings = { openFiles: 1_024 };

export function scenarios(canaries: number): readonly Scenario[] {
  const ordinary = (Object.keys(ATTACKS) as AttackName[]).map((attack) => ({ name: attack, attack, surroundings: ORDINARY }));
  const small = SMALL_TABLE(canaries);
  return [
    ...ordinary,
    { name: "full connection table", attack: "thousands of strangers", surroundings: small },
    { name: "full connection table, silent sockets", attack: "silent sockets", surroundings: small },
    { name: "1,024 descriptors, silent sockets", attack: "silent sockets", surroundings: FEW_DESCRIPTORS },
  ];
}
