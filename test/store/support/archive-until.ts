/**
 * A process that archives, and kills itself once a step has dealt with so many rows. Its arguments: the data directory, the seq to archive
 * before, the step, the rows.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { archive } from "../../../src/store/archive/archive.ts";

const [data = "", before = "", step = "", rows = ""] = process.argv.slice(2);
// The timers of the clock hold no process.
new MessageChannel().port1.ref();
await archive({
  data,
  before: { seq: Number(before) },
  clock: systemClock,
  onProgress: (reached, done) => {
    if (reached === step && done >= Number(rows)) process.kill(process.pid, "SIGKILL");
  },
});
process.exit(1);
