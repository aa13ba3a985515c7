/** The names that a file declares, and how long its functions are. */
import {
  type BindingName,
  isClassDeclaration,
  isClassStaticBlockDeclaration,
  isEnumDeclaration,
  isExportAssignment,
  isExportDeclaration,
  isFunctionDeclaration,
  isFunctionLikeDeclaration,
  isIdentifier,
  isInterfaceDeclaration,
  isModuleDeclaration,
  isNamedExports,
  isOmittedExpression,
  isTypeAliasDeclaration,
  isVariableStatement,
  type Node,
  type SourceFile,
  type Statement,
  SyntaxKind,
} from "typescript/unstable/ast";
import { nodesIn } from "./syntax.ts";

/** The names that a file exports; `default` and `*` among them. */
export function exportsOf(root: SourceFile): readonly string[] {
  return root.statements.flatMap((statement) => {
    if (isExportAssignment(statement)) return ["default"];
    if (isExportDeclaration(statement)) {
      const { exportClause } = statement;
      if (exportClause === undefined) return ["*"];
      return isNamedExports(exportClause) ? exportClause.elements.map(({ name }) => name.text) : [exportClause.name.text];
    }
    if (hasModifier(statement, SyntaxKind.DefaultKeyword)) return ["default"];
    return hasModifier(statement, SyntaxKind.ExportKeyword) ? declaredBy(statement) : [];
  });
}

function declaredBy(statement: Statement): readonly string[] {
  if (isVariableStatement(statement)) return statement.declarationList.declarations.flatMap(({ name }) => boundNames(name));
  if (isTypeDeclaration(statement) || isFunctionDeclaration(statement)) return nameOf(statement);
  return [];
}

/** The variables of a pattern, such as `a` and `b` of `{ a, x: [b] }`. */
function boundNames(name: BindingName | undefined): readonly string[] {
  if (name === undefined) return [];
  if (isIdentifier(name)) return [name.text];
  return [...name.elements].flatMap((element) => (isOmittedExpression(element) ? [] : boundNames(element.name)));
}

/** The types that a file declares anywhere and keeps to itself. */
export function ownTypesOf(root: SourceFile): readonly string[] {
  const exported = new Set(exportsOf(root));
  return [...nodesIn(root)]
    .filter((node) => isTypeDeclaration(node))
    .filter((node) => !hasModifier(node, SyntaxKind.DefaultKeyword))
    .flatMap(nameOf)
    .filter((name) => !exported.has(name));
}

const isTypeDeclaration = (node: Node) =>
  isClassDeclaration(node) ||
  isInterfaceDeclaration(node) ||
  isTypeAliasDeclaration(node) ||
  isEnumDeclaration(node) ||
  isModuleDeclaration(node);

function hasModifier(node: Node, kind: SyntaxKind): boolean {
  return "modifiers" in node && ((node.modifiers ?? []) as readonly Node[]).some((modifier) => modifier.kind === kind);
}

function nameOf(node: Node): readonly string[] {
  const name = "name" in node ? (node.name as Node | undefined) : undefined;
  return name === undefined ? [] : [name.getText()];
}

export interface FunctionLength {
  readonly name: string;
  readonly lines: number;
}

/** Every function, method, accessor, constructor and static block of a file, nested ones too. */
export function functionsOf(root: SourceFile): readonly FunctionLength[] {
  const lineAt = (position: number) => root.getLineAndCharacterOfPosition(position).line;
  return [...nodesIn(root)]
    .filter((node) => isFunctionLikeDeclaration(node) || isClassStaticBlockDeclaration(node))
    .map((node) => ({
      name: [...nameOf(node), ...nameOf(node.parent), "(anonymous)"][0] ?? "",
      lines: lineAt(node.end) - lineAt(node.getStart(root)) + 1,
    }));
}
