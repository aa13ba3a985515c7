/** What a row says of its message's bytes, against the bytes that are stored. */

import { rowPlace } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";
import { isPartOfMessage, storedSha256Of } from "../../model/payload.ts";
import type { RowCheck } from "./row-check.ts";

export function payloadCheck(): RowCheck {
  return {
    *row(row) {
      const problem = problemOf(row);
      if (problem !== null) yield { place: rowPlace(row.seq), problem };
    },
  };
}

function problemOf({ payload, payloadBytes, payloadSha256, payloadEncoding }: LogRow): string | null {
  const described = [payloadBytes, payloadSha256, payloadEncoding].filter((column) => column !== null).length;
  if (payload === null) return described === 0 ? null : "describes a payload, and has none";
  if (payloadBytes === null || described < 3) return "has a payload that it does not describe";
  const stored = payload.byteLength;
  if (stored !== payloadBytes)
    return isPartOfMessage(stored, payloadBytes) ? null : `payload_bytes is ${payloadBytes}, the payload has ${stored}`;
  return payloadSha256 === storedSha256Of(payload) ? null : "payload_sha256 is not that of the payload";
}
