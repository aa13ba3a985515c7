/** Run as a process: starts a backup or an unarchive, and is killed by a signal while it is busy. */
import { unarchive } from "../../../src/store/archive/unarchive.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";

const [work, from = "", to = "", signal = ""] = process.argv.slice(2);
const die = () => void process.kill(process.pid, signal);
if (work === "backup") await backUp({ from, to, force: false, nowMs: Date.now(), onChecked: die });
else await unarchive({ files: [], data: from, to, onProgress: die });
