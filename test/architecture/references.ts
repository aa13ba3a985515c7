/** The files and packages that a file refers to. */
import { dirname, join, normalize } from "node:path";
import type { Node } from "oxc-parser";
import { nameOf, originsOf } from "./platform.ts";
import { literalText, type Syntax } from "./syntax.ts";

export interface References {
  /** Files of the tree, types included. */
  readonly imports: readonly string[];
  /** Module specifiers that name something else: a package, or a path that leads out of the tree. */
  readonly packages: readonly string[];
  /** Module paths that only the running program knows. */
  readonly computed: readonly string[];
}

/** Every literal that names a file of the tree refers to it, so `new URL("./worker.ts", import.meta.url)` does too. */
export function referencesOf(path: string, syntax: Syntax, tree: ReadonlySet<string>): References {
  const { text, nodes } = syntax;
  const origins = originsOf(syntax);
  const isComputed = (node: Node) => isComputedPath(node) || (isWorker(node, origins) && !isLiteralPath(node.arguments[0]));
  const texts = nodes.flatMap((node) => literalText(node) ?? []);
  const modules = nodes.flatMap((node) => moduleNamed(node) ?? []);
  const inTree = (specifier: string) => normalize(join(dirname(path), specifier.replace(/[?#].*$/s, "")));
  return {
    imports: [...new Set(texts.map(inTree))].filter((target) => tree.has(target) && target !== path),
    packages: modules.flatMap((node) => literalText(node) ?? []).filter((specifier) => !tree.has(inTree(specifier))),
    computed: [...modules.filter((node) => literalText(node) === undefined), ...nodes.filter(isComputed)].map(({ start, end }) =>
      text.slice(start, end),
    ),
  };
}

/** The node that names a module, where `node` refers to one. */
function moduleNamed(node: Node): Node | null | undefined {
  if ("source" in node) return node.source;
  if (node.type === "TSExternalModuleReference") return node.expression;
  return node.type === "TSModuleDeclaration" && node.id.type === "Literal" ? node.id : undefined;
}

/** A template that ends like the path of a source file. */
function isComputedPath(node: Node): boolean {
  return (
    node.type === "TemplateLiteral" && node.expressions.length > 0 && /\.[cm]?[jt]s$/.test(node.quasis.at(-1)?.value.raw ?? "")
  );
}

function isWorker(node: Node, origins: ReadonlyMap<string, string>): node is Extract<Node, { type: "NewExpression" }> {
  return node.type === "NewExpression" && /(^|\.)Worker$/.test(nameOf(node.callee, origins) ?? "");
}

/** A text, or a URL of one. */
function isLiteralPath(node: Node | undefined): boolean {
  if (node === undefined) return false;
  return literalText(node) !== undefined || (node.type === "NewExpression" && isLiteralPath(node.arguments[0]));
}
