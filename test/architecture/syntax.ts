/** Parses files with oxc-parser, whose trees are ESTree with nodes for what TypeScript adds. */
import { type Comment, type EcmaScriptModule, type Node, type Program, parseSync, visitorKeys } from "oxc-parser";

export interface Syntax {
  readonly text: string;
  /** The text with its comments blanked out; line numbers stay. */
  readonly code: string;
  /** Every node, parents first, each with its `parent`. */
  readonly nodes: readonly Node[];
  readonly comments: readonly Comment[];
  /**
   * The file's top-level imports and exports. It lacks the empty `export {} from "nats"`, `export =`, and everything inside
   * `declare module`.
   */
  readonly module: EcmaScriptModule;
}

/** Throws if the file has a syntax error: the parser would give an empty tree, in which every rule holds. */
export function parse(path: string, text: string): Syntax {
  const { program, module, comments, errors } = parseSync(path, text, { preserveParens: false });
  const [error] = errors;
  if (error !== undefined) throw new Error(`${path}: ${error.message}`);
  return { text, code: withoutComments(text, comments), nodes: [program, ...nodesBelow(program)], comments, module };
}

type Child = Exclude<Node, Program>;

/** Sets `parent`, which the parser leaves out. */
function nodesBelow(node: Node): readonly Node[] {
  const properties = node as unknown as Readonly<Record<string, Child | null | readonly (Child | null)[]>>;
  const children = (visitorKeys[node.type] ?? []).flatMap((key) => properties[key] ?? []).filter((child) => child !== null);
  return children.flatMap((child) => {
    child.parent = node;
    return [child, ...nodesBelow(child)];
  });
}

function withoutComments(text: string, comments: readonly Comment[]): string {
  const blank = (comment: string) => comment.replace(/[^\n]/g, "");
  const ends = [0, ...comments.map(({ end }) => end)];
  const pieces = comments.map(({ start, end }, index) => text.slice(ends[index], start) + blank(text.slice(start, end)));
  return pieces.join("") + text.slice(ends.at(-1));
}

/** The value of a string or of a template without substitutions. */
export function literalText(node: Node): string | undefined {
  if (node.type === "Literal") return typeof node.value === "string" ? node.value : undefined;
  return node.type === "TemplateLiteral" && node.quasis.length === 1 ? (node.quasis[0]?.value.cooked ?? undefined) : undefined;
}
