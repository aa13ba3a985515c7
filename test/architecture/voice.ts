/** Finds text that the project does not want: phrases it no longer uses, comments that cite missing documents, comment lines too long. */
import type { Comment, Node } from "oxc-parser";
import { PHRASES } from "./phrases.ts";
import { literalText, parse, type Syntax } from "./syntax.ts";

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly found: string;
  readonly instead: string;
}

interface Prose {
  readonly kind: "comment" | "string" | "page";
  /** Characters that are not prose are `HIDDEN`, so that no phrase is found across them. */
  readonly text: string;
  /** Offset of `text` in the file. */
  readonly start: number;
}

const HIDDEN = "\0";
/** The formatter keeps code within 130 columns and leaves comments alone. */
const MAX_COMMENT_COLUMNS = 135;
/** Properties whose values are source code. */
const PATCHES = ["find", "replace"];
/** Such as `docs/WIRE.md`, `adr/0007`, `src/main.ts`, `README.md`; and documents that are not part of the repository. */
const CITATION =
  /(?<![\w./-])(?:(?:docs|src|test|bench|scripts)\/[\w./-]*\w\.\w+|[A-Za-z][\w-]*\.(?:md|puml)|(?:docs\/)?adr\/\d{4}[\w-]*|(?:DESIGN|PITFALLS|VOICE|EXAMPLES)(?!\w|\.\w))/g;

/** `isDocument` says whether a cited document or file exists. */
export function findingsIn(path: string, text: string, isDocument: (name: string) => boolean): readonly Finding[] {
  const finding = (offset: number, found: string, instead: string): Finding => ({
    path,
    line: text.slice(0, offset).split("\n").length,
    found: found.replaceAll(/[\s\0]+/g, " ").trim(),
    instead,
  });
  const prose = proseOf(path, text);
  const phrases = prose.flatMap((part) =>
    PHRASES.filter(({ onlyIn }) => onlyIn === undefined || onlyIn === part.kind).flatMap(({ banned, instead }) =>
      [...part.text.matchAll(banned)].map((match) => finding(part.start + match.index, match[0], instead)),
    ),
  );
  const comments = prose.find(({ kind }) => kind === "comment")?.text ?? "";
  const citations = [...comments.matchAll(CITATION)]
    .filter(([name]) => !isDocument(name))
    .map(({ 0: name, index }) => finding(index, name, "cite a document of this repository"));
  const long = path.startsWith("src/") ? longLines(text, comments, finding) : [];
  return [...phrases, ...citations, ...long];
}

function longLines(text: string, comments: string, finding: (offset: number, found: string, instead: string) => Finding) {
  const starts = [...text.matchAll(/^.*$/gm)].filter(([line]) => line.length > MAX_COMMENT_COLUMNS);
  return starts
    .filter(({ 0: line, index }) => /[^\0\s]/.test(comments.slice(index, index + line.length)))
    .map(({ 0: line, index }) => finding(index, `${line.length} columns`, `at most ${MAX_COMMENT_COLUMNS} in a comment`));
}

function proseOf(path: string, text: string): readonly Prose[] {
  if (path.endsWith(".md")) return [{ kind: "page", text: pageText(text), start: 0 }];
  if (path.endsWith(".sql")) return sqlProse(text);
  if (!path.endsWith(".ts")) return [{ kind: "comment", text: text.replaceAll(/^[ \t]*(#|\/\/)/gm, blank), start: 0 }];
  const syntax = parse(path, text);
  return [{ kind: "comment", text: commentText(syntax), start: 0 }, ...stringsOf(syntax)];
}

/** Comments, and the strings of the views and guards that are sentences or parts of them. */
function sqlProse(text: string): readonly Prose[] {
  // A string first, because it may contain two hyphens.
  const pieces = [...text.matchAll(/'(?:[^']|'')*'|--.*/g)];
  const shown = (isShown: (piece: string) => boolean) =>
    pieces.reduce(
      ({ shown: before, end }, { 0: piece, index }) => {
        const prose = isShown(piece) ? piece.replace(/^(--|')/, blank).replace(/'$/, HIDDEN) : hidden(piece);
        return { shown: before + hiddenCode(text.slice(end, index)) + prose, end: index + piece.length };
      },
      { shown: "", end: 0 },
    ).shown;
  const isComment = (piece: string) => piece.startsWith("--") && !piece.startsWith("--> ");
  return [
    { kind: "comment", text: withoutCode(shown(isComment)), start: 0 },
    { kind: "string", text: shown((piece) => !piece.startsWith("--")), start: 0 },
  ];
}

const blank = (text: string): string => text.replaceAll(/[^\n]/g, " ");
const hidden = (text: string): string => text.replaceAll(/[^\n]/g, HIDDEN);
const withoutCode = (text: string): string => text.replaceAll(/`[^`\n]*`/g, hidden);

/** A page without its code and the targets of its links. */
function pageText(text: string): string {
  return withoutCode(text.replaceAll(/^```[\s\S]*?^```/gm, hidden)).replaceAll(/\]\([^)\s]*\)/g, hidden);
}

/** The file with everything but its comments hidden; comments that follow each other are one text. */
function commentText({ text, comments }: Syntax): string {
  const ends = [0, ...comments.map(({ end }) => end)];
  const pieces = comments.map((comment, index) => hiddenCode(text.slice(ends[index], comment.start)) + textOf(text, comment));
  return pieces.join("") + hiddenCode(text.slice(ends.at(-1)));
}

const hiddenCode = (text: string): string => text.replaceAll(/\S/g, HIDDEN);

function textOf(text: string, { start, end, type }: Comment): string {
  const comment = text.slice(start, end);
  if (type === "Line") return withoutCode(comment.replace(/^\/\/+/, blank));
  return withoutCode(
    comment
      .replace(/^\/\*+/, hidden)
      .replace(/\*+\/$/, hidden)
      .replaceAll(/^[ \t]*\*/gm, blank),
  );
}

/** Strings of several words, with the substitutions of templates hidden. */
function stringsOf({ nodes }: Syntax): readonly Prose[] {
  return nodes
    .filter((node) => !isPatch(node))
    .map((node) => ({ kind: "string" as const, text: stringText(node) ?? "", start: node.start }))
    .filter(({ text }) => /\S\s+\S/.test(text));
}

function stringText(node: Node): string | undefined {
  return node.type === "TemplateLiteral" ? node.quasis.map(({ value }) => value.cooked).join(HIDDEN) : literalText(node);
}

function isPatch({ parent }: Node): boolean {
  return parent?.type === "Property" && parent.key.type === "Identifier" && PATCHES.includes(parent.key.name);
}
