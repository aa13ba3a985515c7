/** Settings that are valid alone, but contradict each other. */
import type { z } from "zod";
import { shownWord } from "../base/secrets/shown.ts";
import type { Vocabulary } from "../events/vocabulary.ts";
import { HEADS_PREFIX, HEADS_STREAM } from "../nats/heads/published-head.ts";

/** A value and the file with that value must not both be set: one of them would be ignored. */
export function refuseValueAndFile(settings: object, context: z.RefinementCtx): void {
  const given = new Map(Object.entries(settings).filter(([, value]) => value !== undefined));
  for (const name of given.keys()) {
    if (!given.has(`${name}File`)) continue;
    const message = `and nats.${name} are both set; keep one of them`;
    context.addIssue({ code: "custom", path: [`${name}File`], input: given.get(`${name}File`), message });
  }
}

/** Blacklisted would win, which closes the streams of every partner. */
export function refuseTwoMeanings(
  { partnerRelations, blacklistRelations }: Pick<Vocabulary, "partnerRelations" | "blacklistRelations">,
  context: z.RefinementCtx,
): void {
  const partner = new Set(partnerRelations.map((relation) => relation.toUpperCase()));
  for (const relation of blacklistRelations.filter((each) => partner.has(each.toUpperCase()))) {
    const message = `contains ${shownWord(relation)}, which events.partnerRelations has too; keep one of them`;
    context.addIssue({ code: "custom", path: ["blacklistRelations"], input: blacklistRelations, message });
  }
}

/** Removing would win: each event that creates a peer would remove it. */
export function refuseSharedSubjects(
  { createSubjects, removeSubjects }: Pick<Vocabulary, "createSubjects" | "removeSubjects">,
  context: z.RefinementCtx,
): void {
  for (const subject of removeSubjects.filter((each) => createSubjects.includes(each))) {
    const message = `contains ${shownWord(subject)}, which events.createSubjects has too; keep one of them`;
    context.addIssue({ code: "custom", path: ["removeSubjects"], input: removeSubjects, message });
  }
}

/** Our own messages would come back as events, or `check --nats` would find them among published heads, which nothing can delete. */
export function refuseHeadAmongEvents({ nats: { headSubject }, events }: HeadAndEvents, context: z.RefinementCtx): void {
  if (headSubject?.startsWith(HEADS_PREFIX) === true) {
    const taken = `begins with ${HEADS_PREFIX}, the subjects of stream ${HEADS_STREAM}; choose another subject`;
    context.addIssue({ code: "custom", path: ["nats", "headSubject"], input: headSubject, message: taken });
  }
  const section = (["createSubjects", "removeSubjects"] as const).find((name) => events[name].includes(headSubject ?? ""));
  if (section === undefined) return;
  const message = `is in events.${section} too; choose another subject`;
  context.addIssue({ code: "custom", path: ["nats", "headSubject"], input: headSubject, message });
}

interface HeadAndEvents {
  readonly nats: { readonly headSubject?: string | undefined };
  readonly events: Pick<Vocabulary, "createSubjects" | "removeSubjects">;
}
