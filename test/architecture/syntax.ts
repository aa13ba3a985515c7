/** Parses files with the TypeScript compiler. Its programming interface is still called unstable: only the files beside this one know it. */
import type { ChildProcess } from "node:child_process";
import {
  isNoSubstitutionTemplateLiteral,
  isRegularExpressionLiteral,
  isStringLiteral,
  isTemplateHead,
  isTemplateMiddleOrTemplateTail,
  type Node,
  type SourceFile,
} from "typescript/unstable/ast";
import { createVirtualFileSystem } from "typescript/unstable/fs";
import { API } from "typescript/unstable/sync";

const ROOT = "/parsed";
const CONFIG = `${ROOT}/tsconfig.json`;
const compilerOptions = { noLib: true, noResolve: true, types: [], allowJs: true };

/** Parts of `API` that it keeps private. */
interface Running {
  readonly client: { readonly channel: { readonly child: ChildProcess }; close(): void };
}

/** The syntax tree of each file, by path. Throws if one has a syntax error. */
export function parse(texts: Readonly<Record<string, string>>): ReadonlyMap<string, SourceFile> {
  const paths = Object.keys(texts);
  const files = Object.fromEntries(paths.map((path) => [`${ROOT}/${path}`, texts[path] ?? ""]));
  const config = JSON.stringify({ compilerOptions, files: paths });
  const api = new API({ fs: createVirtualFileSystem({ ...files, [CONFIG]: config }) });
  try {
    using snapshot = api.updateSnapshot({ openProjects: [CONFIG] });
    const program = snapshot.getProject(CONFIG)?.program;
    const [error] = program?.getSyntacticDiagnostics() ?? [];
    if (error !== undefined) throw new Error(`${error.fileName}: ${error.text}`);
    return new Map(
      paths.map((path) => {
        const root = program?.getSourceFile(`${ROOT}/${path}`);
        if (root === undefined) throw new Error(`TypeScript does not parse ${path}`);
        return [path, root];
      }),
    );
  } finally {
    // api.close() sends SIGTERM, of which the compiler complains on standard error.
    const { client } = api as unknown as Running;
    client.channel.child.kill("SIGKILL");
    client.close();
  }
}

/** `root` and every node below it, parents first. */
export function* nodesIn(root: Node): Generator<Node> {
  yield root;
  const children: Node[] = [];
  root.forEachChild((child) => void children.push(child));
  for (const child of children) yield* nodesIn(child);
}

/** The value of a string or of a template without substitutions. */
export function literalText(node: Node | undefined): string | undefined {
  return node !== undefined && (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) ? node.text : undefined;
}

const isTextual = (node: Node): boolean =>
  literalText(node) !== undefined ||
  isRegularExpressionLiteral(node) ||
  isTemplateHead(node) ||
  isTemplateMiddleOrTemplateTail(node);

/** The text with its comments blanked out; line numbers stay. */
export function withoutComments(root: SourceFile): string {
  const { text } = root;
  const literals = [...nodesIn(root)].filter(isTextual).sort((one, other) => one.getStart(root) - other.getStart(root));
  let code = "";
  let end = 0;
  // Outside strings, templates and regular expressions, `//` and `/*` always start a comment.
  for (const literal of literals) {
    const start = literal.getStart(root);
    code += blankComments(text.slice(end, start)) + text.slice(start, literal.end);
    end = literal.end;
  }
  return code + blankComments(text.slice(end));
}

const blankComments = (code: string): string =>
  code.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, (comment) => comment.replace(/[^\n]/g, ""));
