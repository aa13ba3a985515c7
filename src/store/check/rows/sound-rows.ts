/** What has to hold of every row, given those before it, for a log to be moved or taken over. */
import type { Replay } from "../../fold/replay.ts";
import type { LogStart } from "../../model/log-head.ts";
import { chainCheck } from "./chain-check.ts";
import { columnTypesCheck } from "./column-types.ts";
import { payloadCheck } from "./payload-check.ts";
import { replayCheck } from "./replay-check.ts";
import type { RowCheck } from "./row-check.ts";

/** For the rows behind `start`, which `replay` takes in as they are checked. */
export function soundRowChecks(start: LogStart, replay: Replay): readonly RowCheck[] {
  return [chainCheck(start), columnTypesCheck(), payloadCheck(), replayCheck(replay)];
}
