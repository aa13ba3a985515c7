/** The files and packages that a file refers to. */
import { dirname, join, normalize } from "node:path";
import {
  isCallExpression,
  isExportDeclaration,
  isExternalModuleReference,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isModuleDeclaration,
  isTemplateExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { literalText, nodesIn } from "./syntax.ts";

export interface References {
  /** Files of the tree, types included. */
  readonly imports: readonly string[];
  /** Module specifiers that name something else: a package, or a path that leads out of the tree. */
  readonly packages: readonly string[];
  /** Module paths that only the running program knows. */
  readonly computed: readonly string[];
}

/** Every literal that names a file of the tree refers to it, so `new URL("./worker.ts", import.meta.url)` does too. */
export function referencesOf(path: string, root: SourceFile, tree: ReadonlySet<string>): References {
  const nodes = [...nodesIn(root)];
  const texts = nodes.flatMap((node) => literalText(node) ?? []);
  const modules = nodes.flatMap((node) => moduleNamed(node) ?? []);
  const inTree = (text: string) => normalize(join(dirname(path), text.replace(/[?#].*$/s, "")));
  return {
    imports: [...new Set(texts.map(inTree))].filter((target) => tree.has(target) && target !== path),
    packages: modules.flatMap((node) => literalText(node) ?? []).filter((text) => !tree.has(inTree(text))),
    computed: [...modules.filter((node) => literalText(node) === undefined), ...nodes.filter(isComputedPath)].map((node) =>
      node.getText(root),
    ),
  };
}

/** The node that names a module, where `node` refers to one. */
function moduleNamed(node: Node): Node | undefined {
  if (isImportDeclaration(node) || isExportDeclaration(node)) return node.moduleSpecifier;
  if (isImportTypeNode(node)) return isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument;
  if (isExternalModuleReference(node)) return node.expression;
  if (isModuleDeclaration(node)) return literalText(node.name) === undefined ? undefined : node.name;
  return isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
}

/** A template that ends like the path of a source file. */
function isComputedPath(node: Node): boolean {
  return isTemplateExpression(node) && /\.[cm]?[jt]s$/.test(node.templateSpans.at(-1)?.literal.text ?? "");
}
