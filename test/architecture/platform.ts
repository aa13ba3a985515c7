/**
 * What a file uses of the platform, whatever it calls it: `e.HOME` after `import { env as e } from "node:process"` uses `process.env`.
 * It follows names and not values: an object that is passed to a function or assigned later is lost.
 */
import {
  type BindingName,
  type ExportDeclaration,
  type ExportSpecifier,
  type Identifier,
  type ImportDeclaration,
  type ImportSpecifier,
  isAsExpression,
  isAwaitExpression,
  isCallExpression,
  isElementAccessExpression,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isMetaProperty,
  isNamedExports,
  isNamespaceImport,
  isNewExpression,
  isNonNullExpression,
  isObjectBindingPattern,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isSatisfiesExpression,
  isShorthandPropertyAssignment,
  isVariableDeclaration,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { literalText, nodesIn } from "./syntax.ts";

export interface Use {
  /** Such as `process.env`, `Date()` where that is called, `new Date()` where that has no arguments. */
  readonly name: string;
  readonly line: number;
}

interface Binding {
  readonly local: string;
  readonly origin: string;
}

/** A variable that holds one of these is followed to where it is used. */
const OBJECTS = ["globalThis", "global", "process", "performance", "Date", "Math", "crypto", "console", "AbortSignal"];
/** Their members have the names of globals. */
const SCOPES = ["globalThis", "global", "perf_hooks", "timers", "timers/promises"];

export function usesOf(root: SourceFile): readonly Use[] {
  const nodes = [...nodesIn(root)];
  const origins = new Map(OBJECTS.map((name) => [name, name]));
  for (const node of nodes)
    for (const { local, origin } of bindingsOf(node, origins)) if (!origins.has(local)) origins.set(local, origin);
  return nodes.flatMap((node) => {
    const line = root.getLineAndCharacterOfPosition(node.getStart(root)).line + 1;
    return usedBy(node, origins).map((name) => ({ name, line }));
  });
}

type Origins = ReadonlyMap<string, string>;

function usedBy(node: Node, origins: Origins): readonly string[] {
  const name = nameOf(node, origins);
  if (name !== undefined) return isIdentifier(node) && isOnlyName(node) ? [] : [name];
  if (isCallExpression(node)) return [`${nameOf(node.expression, origins)}()`];
  if (isNewExpression(node)) return (node.arguments ?? []).length === 0 ? [`new ${nameOf(node.expression, origins)}()`] : [];
  return bindingsOf(node, origins).map(({ origin }) => origin);
}

/** The dotted name of what an expression is, with the global name of what it starts with; undefined where it is computed. */
function nameOf(node: Node, origins: Origins): string | undefined {
  if (isIdentifier(node)) return origins.get(node.text) ?? node.text;
  if (isMetaProperty(node)) return "import.meta";
  if (isPropertyAccessExpression(node)) return member(nameOf(node.expression, origins), node.name.text);
  if (isElementAccessExpression(node)) return member(nameOf(node.expression, origins), literalText(node.argumentExpression));
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) return moduleName(node.arguments[0]);
  const isWrapped =
    isParenthesizedExpression(node) ||
    isAwaitExpression(node) ||
    isAsExpression(node) ||
    isSatisfiesExpression(node) ||
    isNonNullExpression(node);
  return isWrapped ? nameOf(node.expression, origins) : undefined;
}

function member(object: string | undefined, name: string | undefined): string | undefined {
  if (object === undefined || name === undefined) return undefined;
  if (SCOPES.includes(object) || name === "default") return name === "default" ? object : name;
  return object === "crypto" && name === "webcrypto" ? object : `${object}.${name}`;
}

const moduleName = (specifier: Node | undefined): string | undefined => literalText(specifier)?.replace(/^node:/, "");

/** The local names that a node gives to modules and the known objects, or to parts of them. */
function bindingsOf(node: Node, origins: Origins): readonly Binding[] {
  if (isImportDeclaration(node) || isExportDeclaration(node)) return moduleBindings(node);
  if (!isVariableDeclaration(node) || node.initializer === undefined) return [];
  const origin = nameOf(node.initializer, origins);
  const isKnown = origin !== undefined && [...origins.values(), ...SCOPES].includes(origin.split(".")[0] ?? "");
  return isKnown ? patternBindings(node.name, origin) : [];
}

function moduleBindings(node: ImportDeclaration | ExportDeclaration): readonly Binding[] {
  const module = moduleName(node.moduleSpecifier);
  const bind = (local: Node, imported: string) => ({ local: local.getText(), origin: member(module, imported) ?? "" });
  const named = (parts: Iterable<ImportSpecifier | ExportSpecifier>) =>
    [...parts].filter(({ isTypeOnly }) => !isTypeOnly).map(({ name, propertyName }) => bind(name, (propertyName ?? name).text));
  if (module === undefined) return [];
  if (isExportDeclaration(node)) {
    const { exportClause, isTypeOnly } = node;
    return exportClause !== undefined && isNamedExports(exportClause) && !isTypeOnly ? named(exportClause.elements) : [];
  }
  const { name, namedBindings, phaseModifier } = node.importClause ?? {};
  if (phaseModifier === SyntaxKind.TypeKeyword) return [];
  const whole = name === undefined ? [] : [bind(name, "default")];
  if (namedBindings === undefined) return whole;
  return [
    ...whole,
    ...(isNamespaceImport(namedBindings) ? [bind(namedBindings.name, "default")] : named(namedBindings.elements)),
  ];
}

function patternBindings(name: BindingName | undefined, origin: string): readonly Binding[] {
  if (name === undefined) return [];
  if (isIdentifier(name)) return [{ local: name.text, origin }];
  if (!isObjectBindingPattern(name)) return [];
  return name.elements.flatMap((element) => {
    const key = element.propertyName ?? element.name;
    const part = key !== undefined && isIdentifier(key) ? key.text : literalText(key);
    const whole = element.dotDotDotToken === undefined ? (member(origin, part) ?? "") : origin;
    return [{ local: "", origin: whole }, ...patternBindings(element.name, whole)];
  });
}

/** Whether an identifier is the name of a member or a declaration, and no use of what has that name. */
function isOnlyName(node: Identifier): boolean {
  const { name, propertyName } = node.parent as Node & { readonly name?: Node; readonly propertyName?: Node };
  return (name === node && !isShorthandPropertyAssignment(node.parent)) || propertyName === node;
}
