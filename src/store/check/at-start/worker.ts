/** The thread that verifies a long log: posts its StartReport, or the message of the error that prevented it. */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../base/errors.ts";
import { checkAtStart, type WorkerAnswer } from "./start-check.ts";

parentPort?.postMessage(answer(String(workerData)));

function answer(file: string): WorkerAnswer {
  try {
    return { ok: true, report: checkAtStart(file) };
  } catch (thrown) {
    return { ok: false, why: messageOf(thrown) };
  }
}
