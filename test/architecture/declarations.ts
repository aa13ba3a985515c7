/** The names that a file declares, and how long its functions are. */
import type { Node } from "oxc-parser";
import type { Syntax } from "./syntax.ts";

const TYPES = [
  "ClassDeclaration",
  "TSInterfaceDeclaration",
  "TSTypeAliasDeclaration",
  "TSEnumDeclaration",
  "TSModuleDeclaration",
];
const FUNCTIONS = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression", "StaticBlock"];

/** The names that a file exports; `default` and `*` among them. */
export function exportsOf({ module, nodes }: Syntax): readonly string[] {
  const exports = module.staticExports.flatMap(({ entries }) => entries);
  return [
    ...exports.map(({ exportName, moduleRequest }) => exportName.name ?? (moduleRequest === null ? "default" : "*")),
    ...nodes.flatMap(({ type }) => (type === "TSExportAssignment" ? ["default"] : [])),
  ];
}

/** The types that a file declares anywhere and keeps to itself. */
export function ownTypesOf(syntax: Syntax): readonly string[] {
  const exported = exportsOf(syntax);
  return syntax.nodes
    .filter(({ type, parent }) => TYPES.includes(type) && parent?.type !== "ExportDefaultDeclaration")
    .flatMap((node) => nameOf(node, syntax.text) ?? [])
    .filter((name) => !exported.includes(name));
}

export interface FunctionLength {
  readonly name: string;
  readonly lines: number;
}

/** Every function, method, accessor, constructor and static block of a file, nested ones too. A method is counted from its parameters. */
export function functionsOf({ nodes, text }: Syntax): readonly FunctionLength[] {
  return nodes
    .filter(({ type }) => FUNCTIONS.includes(type))
    .map((node) => ({
      name: nameOf(node, text) ?? nameOf(node.parent, text) ?? "(anonymous)",
      lines: text.slice(node.start, node.end).split("\n").length,
    }));
}

/** The name by which a node declares something; a constructor or a static block goes by that of its class. */
function nameOf(node: Node | null | undefined, text: string): string | undefined {
  if (node == null) return undefined;
  if (node.type === "ClassBody" || (node.type === "MethodDefinition" && node.kind === "constructor"))
    return nameOf(node.parent, text);
  if ("key" in node) return text.slice(node.key.start, node.key.end);
  return "id" in node && node.id?.type === "Identifier" ? node.id.name : undefined;
}
