/** Where code looks into a sentence: text that is written for people, whose wording must be free to change. */
import type { CallExpression, Expression, Node } from "oxc-parser";
import { literalText, type Syntax } from "../syntax.ts";

export interface Look {
  /** The expression that looks, on one line. */
  readonly code: string;
  readonly start: number;
}

/** The names of sentences, as variables and as members, private ones too. */
const NAMES = new Set(["message", "why", "summary", "sentence", "problem", "nextStep"]);
/** The names of errors, beside that of each catch clause. As text an error is its message. */
const ERRORS = ["error", "err", "thrown", "failure", "exception"];

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
const SPLITS = new Set(["split", "match", "matchAll"]);
const EQUALITY = new Set(["===", "!==", "==", "!="]);

type IsSentence = (node: Node) => boolean;

/** A function that the file declares. */
interface Declared {
  readonly parameters: readonly Node[];
  readonly start: number;
  readonly end: number;
}

interface Known {
  /** The names that are sentences in the whole file. */
  readonly sentences: ReadonlySet<string>;
  /** Parameters that are sentences within their function. */
  readonly parameters: readonly Parameter[];
  readonly errors: ReadonlySet<string>;
  readonly functions: ReadonlyMap<string, Declared>;
}

interface Parameter extends Omit<Declared, "parameters"> {
  readonly name: string;
}

/** Follows a sentence through the names that it is given in the file, also as an argument of a function of that file. */
export function looksIntoSentences({ nodes, text }: Syntax): readonly Look[] {
  const sentences = new Set(NAMES);
  const errors = new Set([...ERRORS, ...nodes.flatMap(caught)]);
  const parameters: Parameter[] = [];
  const known: Known = { sentences, errors, parameters, functions: new Map(nodes.flatMap(declared)) };
  const isSentence: IsSentence = (node) => sentenceIn(node, known);
  // A name may be given before the name that it stands for is seen.
  for (let before = -1; before < sentences.size + parameters.length; ) {
    before = sentences.size + parameters.length;
    for (const node of nodes) {
      for (const name of namesGiven(node, isSentence)) sentences.add(name);
      for (const given of parametersGiven(node, isSentence, known)) {
        const isKnown = parameters.some(({ name, start }) => name === given.name && start === given.start);
        if (!isKnown) parameters.push(given);
      }
    }
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

function sentenceIn(node: Node, known: Known): boolean {
  const isSentence: IsSentence = (part) => sentenceIn(part, known);
  if (node.type === "Identifier") return isNamedSentence(node, known);
  if (node.type === "MemberExpression") return NAMES.has((memberName(node) ?? "").replace("#", ""));
  if (node.type === "CallExpression") return callGives(node, isSentence, known);
  if (node.type === "LogicalExpression") return isSentence(node.left) || isSentence(node.right);
  if (node.type === "ConditionalExpression") return isSentence(node.consequent) || isSentence(node.alternate);
  if (node.type === "TemplateLiteral") return node.expressions.some((part) => isSentence(part) || isError(part, known));
  if (node.type === "BinaryExpression") return node.operator === "+" && (isSentence(node.left) || isSentence(node.right));
  const isWrapped =
    node.type === "ChainExpression" ||
    node.type === "TSAsExpression" ||
    node.type === "TSSatisfiesExpression" ||
    node.type === "TSNonNullExpression";
  return isWrapped && isSentence(node.expression);
}

function callGives({ callee, arguments: given }: CallExpression, isSentence: IsSentence, known: Known): boolean {
  if (callee.type === "MemberExpression") {
    const method = memberName(callee) ?? "";
    return FORMATS.has(method) && (isSentence(callee.object) || (method === "toString" && isError(callee.object, known)));
  }
  return (
    isNamed(callee, "messageOf") || (isNamed(callee, "String") && given.some((part) => isSentence(part) || isError(part, known)))
  );
}

function isError(node: Node, { errors }: Known): boolean {
  if (node.type === "Identifier") return errors.has(node.name);
  return node.type === "MemberExpression" && errors.has((memberName(node) ?? "").replace("#", ""));
}

const caught = (node: Node): readonly string[] =>
  node.type === "CatchClause" && node.param !== null ? identifier(node.param) : [];

/** The name and the parameters of a function. */
function declared(node: Node): readonly (readonly [string, Declared])[] {
  const { start, end } = node;
  if (node.type === "FunctionDeclaration" && node.id !== null) return [[node.id.name, { parameters: node.params, start, end }]];
  if (node.type !== "VariableDeclarator" || node.id.type !== "Identifier") return [];
  return node.init?.type === "ArrowFunctionExpression" ? [[node.id.name, { parameters: node.init.params, start, end }]] : [];
}

function isNamedSentence({ name, start }: Extract<Node, { type: "Identifier" }>, { sentences, parameters }: Known): boolean {
  return sentences.has(name) || parameters.some((given) => given.name === name && given.start <= start && start < given.end);
}

/** The parameters that a call gives sentences to: of a function of the file, or of a callback for each part of one. */
function parametersGiven(node: Node, isSentence: IsSentence, { functions }: Known): readonly Parameter[] {
  if (node.type !== "CallExpression") return [];
  if (node.callee.type === "Identifier") {
    const called = functions.get(node.callee.name);
    if (called === undefined) return [];
    const { parameters, start, end } = called;
    const names = node.arguments.flatMap((given, index) => {
      const parameter = isSentence(given) ? parameters[index] : undefined;
      return parameter === undefined ? [] : identifier(parameter);
    });
    return names.map((name) => ({ name, start, end }));
  }
  const [callback] = node.arguments;
  if (callback?.type !== "ArrowFunctionExpression" || node.callee.type !== "MemberExpression") return [];
  const [parameter] = callback.params;
  if (parameter === undefined || !isParts(node.callee.object, isSentence)) return [];
  return identifier(parameter).map((name) => ({ name, start: callback.start, end: callback.end }));
}

/** True for the parts that a sentence was split into, however they were collected. */
function isParts(node: Node, isSentence: IsSentence): boolean {
  const areParts: IsSentence = (part) => isParts(part, isSentence);
  if (node.type === "ArrayExpression")
    return node.elements.some((part) => part?.type === "SpreadElement" && areParts(part.argument));
  if (node.type === "NewExpression") return node.arguments.some(areParts);
  if (node.type !== "CallExpression" || node.callee.type !== "MemberExpression") return false;
  const method = memberName(node.callee) ?? "";
  if (SPLITS.has(method)) return isSentence(node.callee.object);
  const [callback] = node.arguments;
  const gives = callback?.type === "ArrowFunctionExpression" && (isSentence(callback.body) || areParts(callback.body));
  return areParts(node.callee.object) || gives;
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
