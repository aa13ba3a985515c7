/** Text that SQLite can store. */

/** Replaces lone surrogates, which JSON allows and SQLite's UTF-8 cannot store, so that appending and replaying fold the same text. */
export function withWellFormedText<Value extends object>(value: Value): Value {
  if (Object.values(value).every((field) => typeof field !== "string" || field.isWellFormed())) return value;
  const fields: [string, unknown][] = Object.entries(value);
  return Object.fromEntries(
    fields.map(([key, field]) => [key, typeof field === "string" ? field.toWellFormed() : field]),
  ) as Value;
}
