/**
 * A process that appends until it is killed, and prints each seq once it may be acknowledged. Arguments: the data directory, and the
 * pause after each batch in ms.
 */
import { writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../../src/base/clock.ts";
import { openStore } from "../../../src/store/store.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { desired, observeOpened, received, start } from "./events.ts";

const BATCH = 10;
const [directory = "", restMs = "0"] = process.argv.slice(2);
const store = openStore({ directory, clock: systemClock });
start(store);
observeOpened(store, PEER_B);
for (let turn = 0; ; turn++) {
  const name = `turn-${turn}`;
  store.appendReceived(
    Array.from({ length: BATCH }, (_, index) => received(desired({ name, peerId: index % 2 === 0 ? PEER_A : PEER_B }))),
  );
  observeOpened(store, PEER_A);
  writeSync(1, `${store.head().seq}\n`);
  if (restMs !== "0") await setTimeout(Number(restMs));
}
