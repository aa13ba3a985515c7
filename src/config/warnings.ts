/** Settings that are allowed and may still be mistakes, for one log line each at the start. */
import { nearest } from "../base/nearest.ts";
import { type ConfigSources, ignoredVariables } from "./load.ts";
import type { Config } from "./schema.ts";

export interface ConfigWarning {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function configWarnings({ events }: Pick<Config, "events">, env: ConfigSources["env"]): readonly ConfigWarning[] {
  const variables = ignoredVariables(env);
  return [
    ...(variables.length === 0
      ? []
      : [{ facts: { variables }, message: "ignoring variables that Kubernetes sets for a Service" }]),
    ...misspeltRelations("events.partnerRelations", events.partnerRelations, events.relationNames),
    ...misspeltRelations("events.blacklistRelations", events.blacklistRelations, events.relationNames),
  ];
}

/** Apps may use other words than `names`, but one that differs by a letter or two would revoke every partner. */
function misspeltRelations(setting: string, relations: readonly string[], names: readonly string[]): ConfigWarning[] {
  const known = new Set(names.map((name) => name.toUpperCase()));
  return relations.flatMap((relation) => {
    const meant = known.has(relation.toUpperCase()) ? undefined : nearest(relation, names);
    return meant === undefined
      ? []
      : [{ facts: { setting, relation, meant }, message: "relation is not in events.relationNames; it may be misspelt" }];
  });
}
