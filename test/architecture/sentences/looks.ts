/** Where code looks into a sentence: text that is written for people, whose wording must be free to change. */
import type { CallExpression, Expression, Node } from "oxc-parser";
import { literalText, type Syntax } from "../syntax.ts";

export interface Look {
  /** The expression that looks, on one line. */
  readonly code: string;
  readonly start: number;
}

/** The names of sentences, as variables and as members. */
const NAMES = new Set(["message", "why", "summary", "sentence", "problem"]);

/** Take a sentence apart. */
const METHODS = new Set(
  (
    "at charAt charCodeAt codePointAt endsWith includes indexOf lastIndexOf localeCompare match matchAll replace replaceAll search slice " +
    "split startsWith substr substring"
  ).split(" "),
);
/** Give a sentence again. */
const FORMATS = new Set(
  "concat normalize padEnd padStart repeat toLocaleLowerCase toLowerCase toString toUpperCase trim trimEnd trimStart".split(" "),
);
/** Look into their argument. */
const MATCHERS = new Set(["test", "exec", "includes", "startsWith", "endsWith", "indexOf", "lastIndexOf", "has", "get", "match"]);
const EQUALITY = new Set(["===", "!==", "==", "!="]);

type IsSentence = (node: Node) => boolean;

/** Follows a sentence through the names that it is given in the file, but not through functions. */
export function looksIntoSentences({ nodes, text }: Syntax): readonly Look[] {
  const names = new Set(NAMES);
  const isSentence: IsSentence = (node) => sentenceIn(node, names);
  // A name may be given before the name that it stands for is seen.
  for (let known = 0; known < names.size; ) {
    known = names.size;
    for (const node of nodes) for (const name of namesGiven(node, isSentence)) names.add(name);
  }
  return nodes
    .filter((node) => looks(node, isSentence))
    .map(({ start, end }) => ({ code: text.slice(start, end).replace(/\s+/g, " "), start }));
}

function looks(node: Node, isSentence: IsSentence): boolean {
  if (node.type === "BinaryExpression") {
    const sides = [node.left, node.right];
    return EQUALITY.has(node.operator) && sides.some(isSentence) && !sides.some(isNothing);
  }
  if (node.type === "SwitchStatement") return isSentence(node.discriminant);
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return false;
  const { object } = node.callee;
  // Computed: of a regular expression, such as [Symbol.match].
  const method = memberName(node.callee) ?? "match";
  return isSentence(object) ? METHODS.has(method) : MATCHERS.has(method) && node.arguments.some(isSentence);
}

function sentenceIn(node: Node, names: ReadonlySet<string>): boolean {
  const isSentence: IsSentence = (part) => sentenceIn(part, names);
  if (node.type === "Identifier") return names.has(node.name);
  if (node.type === "MemberExpression") return NAMES.has(memberName(node) ?? "");
  if (node.type === "CallExpression") return callGives(node, isSentence);
  if (node.type === "LogicalExpression") return isSentence(node.left) || isSentence(node.right);
  if (node.type === "ConditionalExpression") return isSentence(node.consequent) || isSentence(node.alternate);
  if (node.type === "TemplateLiteral") return node.expressions.some(isSentence);
  if (node.type === "BinaryExpression") return node.operator === "+" && (isSentence(node.left) || isSentence(node.right));
  const isWrapped =
    node.type === "ChainExpression" ||
    node.type === "TSAsExpression" ||
    node.type === "TSSatisfiesExpression" ||
    node.type === "TSNonNullExpression";
  return isWrapped && isSentence(node.expression);
}

function callGives({ callee, arguments: given }: CallExpression, isSentence: IsSentence): boolean {
  if (callee.type === "MemberExpression") return FORMATS.has(memberName(callee) ?? "") && isSentence(callee.object);
  return isNamed(callee, "messageOf") || (isNamed(callee, "String") && given.some(isSentence));
}

/** The names that a declaration, an assignment or a pattern gives to sentences. */
function namesGiven(node: Node, isSentence: IsSentence): readonly string[] {
  if (node.type === "VariableDeclarator") return node.init !== null && isSentence(node.init) ? identifier(node.id) : [];
  if (node.type === "AssignmentExpression") return isSentence(node.right) ? identifier(node.left) : [];
  if (node.type !== "Property" || node.parent?.type !== "ObjectPattern") return [];
  const { key, computed, value } = node;
  return !computed && key.type === "Identifier" && NAMES.has(key.name)
    ? identifier(value.type === "AssignmentPattern" ? value.left : value)
    : [];
}

const identifier = (node: Node): readonly string[] => (node.type === "Identifier" ? [node.name] : []);

const isNamed = (node: Expression, name: string): boolean => node.type === "Identifier" && node.name === name;

/** Undefined where it is computed. */
function memberName({ property, computed }: Extract<Node, { type: "MemberExpression" }>): string | undefined {
  if (property.type === "PrivateIdentifier") return `#${property.name}`;
  return property.type === "Identifier" && !computed ? property.name : literalText(property);
}

/** Whether there is a sentence at all may be asked. */
function isNothing(node: Node): boolean {
  const isNull = node.type === "Literal" && (node.value === null || node.value === "");
  return isNull || (node.type === "Identifier" && node.name === "undefined");
}
