/** A place that an operator changes, and helpers for operators. Pure. */
import type { Node } from "oxc-parser";

/** The operators, in the order of the table. */
export const OPERATORS = [
  "dropped-wake",
  "missing-abort",
  "swapped-reason",
  "skipped-fsync",
  "forgotten-close",
  "lost-await",
  "removed-call",
  "boundary",
  "equality",
  "logical",
  "negated-condition",
  "off-by-one",
  "early-return",
  "swallowed-finally",
] as const;

export type Operator = (typeof OPERATORS)[number];

/**
 * One change of the source. `embed` gets the place's own text (perhaps with the mutants inside it) and an expression that is true while this
 * mutant is active, and returns text that behaves either way.
 */
export interface Site {
  readonly operator: Operator;
  readonly start: number;
  readonly end: number;
  /** The change in words, such as `< becomes <=`. */
  readonly change: string;
  embed(original: string, active: string): string;
}

export type OfType<Type extends Node["type"]> = Extract<Node, { type: Type }>;

export function replacedExpression(operator: Operator, { start, end }: Node, change: string, replacement: string): Site {
  return { operator, start, end, change, embed: (original, active) => `(${active} ? (${replacement}) : (${original}))` };
}

export function replacedStatement(operator: Operator, { start, end }: Node, change: string, replacement = ""): Site {
  return { operator, start, end, change, embed: (original, active) => `if (${active}) { ${replacement} } else { ${original} }` };
}

/** The last name of what is called or read: `c` of `a.b.c` and of `this.#c`. */
export function lastName(node: Node): string | undefined {
  if (node.type === "Identifier" || node.type === "PrivateIdentifier") return node.name;
  if (node.type === "MemberExpression") {
    if (!node.computed) return lastName(node.property);
    // `x[Symbol.dispose]()`
    return node.property.type === "MemberExpression" ? lastName(node.property) : lastName(node.object);
  }
  if (node.type === "ChainExpression" || node.type === "TSNonNullExpression") return lastName(node.expression);
  return node.type === "CallExpression" ? lastName(node.callee) : undefined;
}

/** The call that an expression makes, without `await`, `void` and `?.`. */
export function callOf(node: Node): OfType<"CallExpression"> | undefined {
  if (node.type === "CallExpression") return node;
  if (node.type === "AwaitExpression" || node.type === "UnaryExpression") return callOf(node.argument);
  return node.type === "ChainExpression" ? callOf(node.expression) : undefined;
}

export function* ancestors(node: Node): Generator<Node> {
  for (let above = node.parent ?? undefined; above !== undefined; above = above.parent ?? undefined) yield above;
}

const LOGGERS = /^#?(log|logger|.*Log|.*Logger)$/;
const LEVELS = /^(trace|debug|info|warn|error|fatal)$/;

export function isLogCall(call: OfType<"CallExpression">): boolean {
  const { callee } = call;
  if (callee.type !== "MemberExpression") return false;
  return LEVELS.test(lastName(callee) ?? "") && LOGGERS.test(lastName(callee.object) ?? "");
}

/**
 * True inside text for people and inside what only describes: messages, log calls, templates, errors apart from their code, and schemas of
 * tables. Changing those changes no behaviour that this measures.
 */
export function isDescription(node: Node): boolean {
  let inner = node;
  for (const above of ancestors(node)) {
    if (above.type === "TemplateLiteral" || above.type === "TSEnumDeclaration" || above.type === "ImportDeclaration") return true;
    if (above.type === "CallExpression" && isLogCall(above)) return true;
    const isError = above.type === "NewExpression" && lastName(above.callee)?.endsWith("Error") === true;
    if (isError && above.arguments.some((argument, index) => index > 0 && argument === inner)) return true;
    inner = above;
  }
  return false;
}
