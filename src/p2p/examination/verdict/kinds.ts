/** The three kinds of verdict, and words that they share. Pure. */
import type { ExaminationSettings, StepVerdict } from "../step-results.ts";

export const ok = (message: string): StepVerdict => ({ mark: "ok", message, advice: null });

export const note = (message: string, advice: string | null = null): StepVerdict => ({ mark: "note", message, advice });

export const fault = (message: string, advice: string): StepVerdict => ({ mark: "fault", message, advice });

/** The advice about a far end that refuses this PeerID. */
export function becomeKnown({ asSelf, self }: ExaminationSettings): string {
  return asSelf
    ? `ask its operator to make ${self}, this daemon's PeerID, a partner`
    : "try again with --as-self: no far end knows the PeerID of a throwaway identity";
}

export const msText = (ms: number): string => `${Math.max(1, Math.round(ms))} ms`;
