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

/** Attacks on one daemon. A freed heap does not shrink at once, so what one attack leaves is counted for the next. */
const ATTACKS_PER_DAEMON = 5;
/** Room for the canaries and little else. */
const SMALL_TABLE = (canaries: number): Surroundings => ({ p2p: { maxConnections: 4 * canaries } });
const FEW_DESCRIPTORS: Surroundings = { openFiles: 1_024 };

export function scenarios(canaries: number): readonly Scenario[] {
  let surroundings: Surroundings = {};
  const ordinary = (Object.keys(ATTACKS) as AttackName[]).map((attack, index) => {
    if (index % ATTACKS_PER_DAEMON === 0) surroundings = {};
    return { name: attack, attack, surroundings };
  });
  const small = SMALL_TABLE(canaries);
  return [
    ...ordinary,
    { name: "full connection table", attack: "thousands of strangers", surroundings: small },
    { name: "full connection table, silent sockets", attack: "silent sockets", surroundings: small },
    { name: "1,024 descriptors, silent sockets", attack: "silent sockets", surroundings: FEW_DESCRIPTORS },
  ];
}
