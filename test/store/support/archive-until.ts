/**
 * A process that archives, and kills itself when a step has processed a number of rows. Arguments: the data directory, the seq to archive
 * before, the step, the number of rows.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { archive } from "../../../src/store/archive/archive.ts";

const [data = "", before = "", step = "", rows = ""] = process.argv.slice(2);
// The clock's timers do not keep the process alive.
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
