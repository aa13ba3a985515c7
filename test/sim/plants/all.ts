/** All planted bugs, and lookup by name. */
import { HOSTILE_PLANTS } from "./hostile.ts";
import { INGEST_PLANTS } from "./ingest.ts";
import { INTAKE_PLANTS } from "./intake.ts";
import type { Plant } from "./plant.ts";
import { RECONCILING_PLANTS } from "./reconciling.ts";
import { SEVERAL_PLANTS } from "./several.ts";
import { STREAM_PLANTS } from "./streams.ts";

export const PLANTS: readonly Plant[] = [
  ...INTAKE_PLANTS,
  ...INGEST_PLANTS,
  ...RECONCILING_PLANTS,
  ...STREAM_PLANTS,
  ...SEVERAL_PLANTS,
  ...HOSTILE_PLANTS,
];

/** Undefined if there is no bug of this name. */
export function plantOf(name: string): Plant | undefined {
  return PLANTS.find((plant) => plant.name === name);
}
