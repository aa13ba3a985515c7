/** The simulator beside its worlds, so that a test can bring another pair of both. */
export { simulate } from "../../../src/sim/simulate.ts";
