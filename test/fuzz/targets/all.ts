/** All targets. */
import type { Target } from "../target.ts";
import { addresses } from "./address.ts";
import { archiveFile, archiveLines } from "./archive.ts";
import { config } from "./config.ts";
import { challenge, echo } from "./echo.ts";
import { event } from "./event.ts";
import { fixture } from "./fixture.ts";
import { heartbeat } from "./heartbeat.ts";
import { http } from "./http.ts";
import { httpBytes } from "./http-bytes.ts";
import { key } from "./key.ts";
import { yamux } from "./yamux.ts";

export const TARGETS: readonly Target[] = [
  heartbeat,
  event,
  echo,
  challenge,
  yamux,
  http,
  httpBytes,
  config,
  fixture,
  archiveLines,
  archiveFile,
  addresses,
  key,
];
