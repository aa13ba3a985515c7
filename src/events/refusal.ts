import type { RejectionReason } from "./types.ts";

/** Why a message cannot be used. It is returned, never thrown; `decodeMessage` turns it into a Rejected. */
export class Refusal {
  readonly reason: RejectionReason;
  /** Names field, value and what was expected instead. */
  readonly message: string;

  constructor(reason: RejectionReason, message: string) {
    this.reason = reason;
    this.message = message;
  }
}
