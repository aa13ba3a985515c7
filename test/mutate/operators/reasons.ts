/** Swapped reasons: a member of a union of strings becomes another member of the same union. Pure. */
import type { Node } from "oxc-parser";
import { replacedExpression, type Site } from "./site.ts";

/** For each string, the strings that may stand in its place, in the order of the unions. */
export type Reasons = ReadonlyMap<string, readonly string[]>;

/** Collects the unions of strings, and the lists of strings `as const`, of all given files. */
export function reasonsOf(files: readonly (readonly Node[])[]): Reasons {
  const reasons = new Map<string, string[]>();
  for (const members of files.flat().flatMap(membersOf))
    for (const member of members)
      reasons.set(member, [...new Set([...(reasons.get(member) ?? []), ...members.filter((other) => other !== member)])]);
  return reasons;
}

function membersOf(node: Node): readonly (readonly string[])[] {
  if (node.type === "TSUnionType") {
    const members = node.types.flatMap((type) =>
      type.type === "TSLiteralType" && type.literal.type === "Literal" && typeof type.literal.value === "string"
        ? [type.literal.value]
        : [],
    );
    return members.length > 1 ? [members] : [];
  }
  if (node.type !== "TSAsExpression" || node.expression.type !== "ArrayExpression") return [];
  const strings = node.expression.elements.flatMap((element) =>
    element?.type === "Literal" && typeof element.value === "string" ? [element.value] : [],
  );
  return strings.length > 1 && strings.length === node.expression.elements.length ? [strings] : [];
}

/** One mutant for each such string: the next member that the same file names, or else the next member. */
export function reasonSites(node: Node, reasons: Reasons, named: ReadonlySet<string>): readonly Site[] {
  if (node.type !== "Literal" || typeof node.value !== "string" || !isReason(node)) return [];
  const others = reasons.get(node.value) ?? [];
  const other = others.find((member) => named.has(member)) ?? others[0];
  if (other === undefined) return [];
  return [replacedExpression("swapped-reason", node, `"${node.value}" becomes "${other}"`, JSON.stringify(other))];
}

/** Where strings are values that the program decides by, rather than names and paths. */
const PARENTS: ReadonlySet<string> = new Set<Node["type"]>([
  "CallExpression",
  "NewExpression",
  "ReturnStatement",
  "ConditionalExpression",
  "ArrowFunctionExpression",
  "LogicalExpression",
  "BinaryExpression",
  "AssignmentExpression",
  "SwitchCase",
]);

function isReason(node: Node): boolean {
  const { parent } = node;
  if (parent?.type === "Property") return parent.value === node;
  return parent !== null && parent !== undefined && PARENTS.has(parent.type);
}
