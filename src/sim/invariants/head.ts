/** The head file names the newest row while the daemon runs, and a healthy disk never keeps the daemon from starting. */
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../../base/errors.ts";
import { atTimes, type Invariant, type ObservedDaemon, type Scene } from "./invariant.ts";

export function daemonStarts(scene: Scene): Invariant {
  return {
    startFailed(thrown) {
      if (scene.disk.state === "healthy") scene.violated("daemon-starts", `the disk is healthy, but ${messageOf(thrown)}`);
    },
  };
}

export function headIsTheLogs(scene: Scene): Invariant {
  if (!scene.settings.headFile) return {};
  let isNew = false;
  const compare = (daemon: ObservedDaemon) => {
    isNew = false;
    const { head } = scene.disk;
    const found = daemon.store.head();
    if (head.kind === "head" && isDeepStrictEqual(head.head, found)) return;
    const says = head.kind === "head" ? `names seq ${head.head.seq}` : `is ${head.kind}`;
    scene.violated("head-is-the-logs", `the head file ${says}, but the log ends at seq ${found.seq}`);
  };
  return {
    started: compare,
    logged() {
      isNew = true;
    },
    stepped: atTimes(scene, (daemon) => {
      if (isNew) compare(daemon);
    }),
    finished() {
      if (scene.daemon !== undefined) compare(scene.daemon);
    },
  };
}
