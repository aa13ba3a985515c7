/** Operators on expressions: comparisons, conditions, constants and arguments. Pure. */
import type { Node } from "oxc-parser";
import { ancestors, lastName, type OfType, type Operator, replacedExpression, type Site } from "./site.ts";

const SWAPPED: Readonly<Record<string, readonly [Operator, string]>> = {
  "<": ["boundary", "<="],
  "<=": ["boundary", "<"],
  ">": ["boundary", ">="],
  ">=": ["boundary", ">"],
  "===": ["equality", "!=="],
  "!==": ["equality", "==="],
  "&&": ["logical", "||"],
  "||": ["logical", "&&"],
};

/** Larger numbers are mostly durations and limits, where one more or less is nothing. */
const LARGEST = 100;
/** Durations, and how many digits or columns are shown. */
const MEASURES = /(MS|Ms|SECONDS|Seconds|HOURS|DAYS|DIGITS|COLUMNS|WIDTH)$/;

export function expressionSites(node: Node, text: string): readonly Site[] {
  const { type } = node;
  if (type === "BinaryExpression" || type === "LogicalExpression") return swapped(node, text);
  if (type === "IfStatement" || type === "ConditionalExpression" || type === "WhileStatement") return negated(node.test, text);
  if (type === "Literal") return offByOne(node);
  if (type === "CallExpression" || type === "NewExpression") return node.arguments.flatMap(withoutSignal);
  return type === "Property" ? signalProperty(node, text) : [];
}

function swapped(node: OfType<"BinaryExpression"> | OfType<"LogicalExpression">, text: string): readonly Site[] {
  const [operator, other] = SWAPPED[node.operator] ?? [];
  if (operator === undefined || other === undefined) return [];
  const between = text.slice(node.left.end, node.right.start);
  const at = between.lastIndexOf(node.operator);
  // Parentheses in the source belong to neither side, so the text around the operator stays as it is.
  const left = text.slice(node.start, node.left.end) + between.slice(0, at);
  const right = between.slice(at + node.operator.length) + text.slice(node.right.start, node.end);
  const change = `${node.operator} becomes ${other}`;
  // `a || b ?? c` without parentheses is invalid, and `a && b || c` binds otherwise than it reads.
  return node.type === "LogicalExpression"
    ? [replacedExpression(operator, node, change, `(${left}) ${other} (${right})`)].filter(
        () => balanced(left) && balanced(right),
      )
    : [replacedExpression(operator, node, change, `${left}${other}${right}`)];
}

const balanced = (piece: string): boolean => piece.split("(").length === piece.split(")").length;

/** Comparisons and their combinations have operators of their own. */
function negated(test: Node, text: string): readonly Site[] {
  const isEquality = test.type === "BinaryExpression" && /^[=!]==$/.test(test.operator);
  if (isEquality) return [];
  return [replacedExpression("negated-condition", test, "condition negated", `!(${text.slice(test.start, test.end)})`)];
}

function offByOne(node: Extract<Node, { type: "Literal" }>): readonly Site[] {
  const { value, parent } = node;
  if (typeof value !== "number" || !Number.isInteger(value) || value > LARGEST) return [];
  if (parent?.type === "TSLiteralType" || (parent?.type === "Property" && parent.key === node)) return [];
  if (isMeasure(node)) return [];
  return [replacedExpression("off-by-one", node, `${value} becomes ${value + 1}`, String(value + 1))];
}

/** The value of a name that measures, such as `const GRACE_MS = 5 * 60_000`. */
function isMeasure(node: Node): boolean {
  for (const above of ancestors(node)) {
    if (above.type === "VariableDeclarator") return MEASURES.test(lastName(above.id) ?? "");
    if (above.type === "Property") return MEASURES.test(lastName(above.key) ?? "");
    if (above.type !== "BinaryExpression" && above.type !== "UnaryExpression") return false;
  }
  return false;
}

const SIGNAL = /(^s|S)ignal$/;
const NEVER = "new AbortController().signal";

function withoutSignal(argument: Node): readonly Site[] {
  // Not `new AbortController().signal`, which never aborts.
  const named =
    argument.type === "Identifier" || (argument.type === "MemberExpression" && argument.object.type !== "NewExpression");
  if (!named || !SIGNAL.test(lastName(argument) ?? "")) return [];
  return [replacedExpression("missing-abort", argument, "a signal that never aborts", NEVER)];
}

/** `{ signal }` and `{ signal: x }` of an object, not of a pattern. */
function signalProperty(node: Extract<Node, { type: "Property" }>, text: string): readonly Site[] {
  if (node.parent?.type !== "ObjectExpression" || node.key.type !== "Identifier" || !SIGNAL.test(node.key.name)) return [];
  const { name } = node.key;
  const { start, end } = node.value;
  const embed = (original: string, active: string) =>
    node.shorthand ? `${name}: (${active} ? ${NEVER} : ${name})` : `(${active} ? ${NEVER} : (${original}))`;
  const own = node.shorthand ? node : { start, end };
  if (text.slice(start, end).includes("=>")) return [];
  return [{ operator: "missing-abort", start: own.start, end: own.end, change: "a signal that never aborts", embed }];
}
