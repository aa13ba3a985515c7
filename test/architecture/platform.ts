/**
 * Finds a file's uses of the platform, under any local name: `e.HOME` after `import { env as e } from "node:process"` uses `process.env`.
 * Follows names, not values: an object that is passed to a function or assigned later is lost.
 */
import type { BindingPattern, EcmaScriptModule, Node } from "oxc-parser";
import { literalText, type Syntax } from "./syntax.ts";

export interface Use {
  /**
   * Such as `process.env`, `Date()` where that is called, `new Date()` where that may have no arguments, `Date as a value` where it is
   * extended or passed on.
   */
  readonly name: string;
  /** Where in the text. */
  readonly start: number;
}

interface Binding {
  readonly local: string;
  readonly origin: string;
}

/** A variable that holds one of these is followed to where it is used. */
const OBJECTS = [
  "globalThis",
  "global",
  "process",
  "performance",
  "Date",
  "Math",
  "crypto",
  "console",
  "AbortSignal",
  "Intl",
  "Temporal",
];
/** Their members have the names of globals. */
const SCOPES = ["globalThis", "global", "perf_hooks", "timers", "timers/promises"];

type Origins = ReadonlyMap<string, string>;

export function usesOf(syntax: Syntax): readonly Use[] {
  const { nodes, module } = syntax;
  const origins = originsOf(syntax);
  return [
    ...importsOf(module).map(({ origin, start }) => ({ name: origin, start })),
    ...nodes.flatMap((node) => usedBy(node, origins).map((name) => ({ name, start: node.start }))),
  ];
}

/** The names of the platform behind the local names of a file. */
export function originsOf({ nodes, module }: Syntax): Origins {
  const origins = new Map(OBJECTS.map((name) => [name, name]));
  const learn = (bindings: readonly Binding[]) => {
    for (const { local, origin } of bindings) if (!origins.has(local)) origins.set(local, origin);
  };
  learn(importsOf(module));
  for (const node of nodes) learn(variablesOf(node, origins));
  return origins;
}

function usedBy(node: Node, origins: Origins): readonly string[] {
  if (node.type === "CallExpression") return [`${nameOf(node.callee, origins)}()`];
  // A spread may be empty.
  if (node.type === "NewExpression")
    return node.arguments.every(({ type }) => type === "SpreadElement") ? [`new ${nameOf(node.callee, origins)}()`] : [];
  const name = isOnlyName(node) ? undefined : nameOf(node, origins);
  if (name === undefined) return variablesOf(node, origins).map(({ origin }) => origin);
  return isPassedOn(node) ? [name, `${name} as a value`] : [name];
}

/** Whether an expression is more than called, constructed, looked into, compared or given a name that is followed. */
function isPassedOn(node: Node): boolean {
  const { parent } = node;
  if (parent == null || parent.type.startsWith("TS") || parent.type === "VariableDeclarator") return false;
  if ("callee" in parent && parent.callee === node) return false;
  if ("object" in parent && parent.object === node) return false;
  return !(parent.type === "BinaryExpression" && parent.operator === "instanceof");
}

/** The dotted name of what an expression is, with the global name of what it starts with; undefined where it is computed. */
export function nameOf(node: Node, origins: Origins): string | undefined {
  if (node.type === "Identifier") return origins.get(node.name) ?? node.name;
  if (node.type === "MetaProperty") return "import.meta";
  if (node.type === "MemberExpression") return member(nameOf(node.object, origins), keyText(node.property, node.computed));
  if (node.type === "ImportExpression") return moduleName(literalText(node.source));
  if (node.type === "AwaitExpression") return nameOf(node.argument, origins);
  const isWrapped =
    node.type === "ChainExpression" ||
    node.type === "TSAsExpression" ||
    node.type === "TSSatisfiesExpression" ||
    node.type === "TSNonNullExpression";
  return isWrapped ? nameOf(node.expression, origins) : undefined;
}

function member(object: string | undefined, name: string | undefined): string | undefined {
  if (object === undefined || name === undefined) return undefined;
  if (SCOPES.includes(object) || name === "default") return name === "default" ? object : name;
  return object === "crypto" && name === "webcrypto" ? object : `${object}.${name}`;
}

const moduleName = (specifier: string | undefined): string | undefined => specifier?.replace(/^node:/, "");

const keyText = (key: Node, isComputed: boolean): string | undefined =>
  key.type === "Identifier" && !isComputed ? key.name : literalText(key);

/** A file's imports from modules and re-exports, without types. */
function importsOf({ staticImports, staticExports }: EcmaScriptModule): readonly (Binding & { readonly start: number })[] {
  const origin = (module: string, name: string | null) => member(moduleName(module), name ?? "default") ?? "";
  const imports = staticImports.flatMap(({ moduleRequest, entries }) => entries.map((entry) => ({ ...entry, moduleRequest })));
  const exports = staticExports.flatMap(({ entries }) => entries);
  return [...imports, ...exports].flatMap(({ isType, moduleRequest, importName, localName }) =>
    isType || moduleRequest === null
      ? []
      : {
          local: "value" in localName ? localName.value : "",
          origin: origin(moduleRequest.value, importName.name),
          start: localName.start ?? moduleRequest.start,
        },
  );
}

/** The local names that a declaration gives to modules and the known objects, or to parts of them. */
function variablesOf(node: Node, origins: Origins): readonly Binding[] {
  if (node.type !== "VariableDeclarator" || node.init === null) return [];
  const origin = nameOf(node.init, origins);
  const isKnown = origin !== undefined && [...origins.values(), ...SCOPES].includes(origin.split(".")[0] ?? "");
  return isKnown ? patternBindings(node.id, origin) : [];
}

function patternBindings(pattern: BindingPattern, origin: string | undefined): readonly Binding[] {
  if (origin === undefined) return [];
  if (pattern.type === "Identifier") return [{ local: pattern.name, origin }];
  if (pattern.type === "AssignmentPattern") return patternBindings(pattern.left, origin);
  if (pattern.type === "ArrayPattern") return [];
  const parts = pattern.properties.flatMap((part) =>
    part.type === "RestElement"
      ? patternBindings(part.argument, origin)
      : patternBindings(part.value, member(origin, keyText(part.key, part.computed))),
  );
  return [{ local: "", origin }, ...parts];
}

/** Whether an identifier is the name of a member or in a list of imports or exports, and no use of what has that name. */
function isOnlyName(node: Node): boolean {
  const { parent } = node;
  if (parent == null) return false;
  if ("property" in parent) return parent.property === node && !("computed" in parent && parent.computed);
  if ("key" in parent) return parent.key === node && !("computed" in parent && parent.computed);
  return parent.type.endsWith("Specifier");
}
