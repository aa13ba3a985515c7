/** Subjects and the patterns that stand for them. Pure. */

/** Whether `pattern` (which may hold `*` and end in `>`) stands for `subject`, which has no wildcards. */
export function matches(pattern: string, subject: string): boolean {
  const tokens = subject.split(".");
  const patterns = pattern.split(".");
  const isOpen = patterns.at(-1) === ">";
  if (isOpen ? tokens.length < patterns.length : tokens.length !== patterns.length) return false;
  return (isOpen ? patterns.slice(0, -1) : patterns).every((expected, at) => expected === "*" || expected === tokens[at]);
}
