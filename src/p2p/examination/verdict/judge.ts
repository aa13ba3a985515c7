/** Decides what the result of a step means, and which setting to change. Pure. */

import type { ExaminationSettings, StepResult, StepVerdict } from "../step-results.ts";
import { judgeAddress, judgeDialPolicy, judgeLimits, judgeMuxer, judgeNoise, judgePsk, judgeTcp } from "./judge-connection.ts";
import { judgeHeartbeat } from "./judge-heartbeat.ts";
import { judgeEcho, judgeIdentify, judgeProtocols } from "./judge-services.ts";

export function judge(result: StepResult, settings: ExaminationSettings): StepVerdict {
  switch (result.step) {
    case "address":
      return judgeAddress(result);
    case "dial_policy":
      return judgeDialPolicy(result);
    case "tcp":
      return judgeTcp(result);
    case "psk":
      return judgePsk(result);
    case "noise":
      return judgeNoise(result, settings);
    case "muxer":
      return judgeMuxer(result, settings);
    case "identify":
      return judgeIdentify(result);
    case "protocols":
      return judgeProtocols(result);
    case "heartbeat":
      return judgeHeartbeat(result, settings);
    case "challenge":
    case "echo":
      return judgeEcho(result, settings);
    case "limits":
      return judgeLimits(result);
  }
}
