/** Re-exports the simulator next to its world generator, so that a test can replace both. */
export { simulate } from "../../../src/sim/simulate.ts";
