/** Operators on statements: calls that are dropped, work that is not awaited, cleanup that is skipped. Pure. */
import type { Function as FunctionNode, Node } from "oxc-parser";
import { callOf, isLogCall, lastName, type OfType, type Operator, replacedStatement, type Site } from "./site.ts";

const WAKE = /^#?(wake|notify|signal|poke|nudge|emit|announce|schedule|enqueue|arm|resume|on[A-Z])|(Wake|Changed|Notify|Woken)$/;
const ABORT = /^#?(abort|throwIfAborted)/;
const FSYNC = /[fF]sync|[sS]yncToDisk|syncDirectory/;
const CLOSE =
  /^#?(close|dispose|asyncDispose|destroy|clear|clearTimeout|clearInterval|delete|release|free|removeEventListener|off|unsubscribe|stop|end|cancel|unlock|remove|rmSync)([A-Z]|$)/;

const KINDS: readonly (readonly [Operator, RegExp, string])[] = [
  ["skipped-fsync", FSYNC, "fsync skipped"],
  ["dropped-wake", WAKE, "wake dropped"],
  ["missing-abort", ABORT, "abort dropped"],
  ["forgotten-close", CLOSE, "close forgotten"],
];

export function statementSites(node: Node, text: string): readonly Site[] {
  const { type } = node;
  if (type === "ExpressionStatement") return [...removed(node), ...lostAwait(node, text)];
  if (type === "VariableDeclaration") return forgottenUsing(node);
  if (type === "TryStatement") return swallowedFinally(node);
  const isFunction = type === "FunctionDeclaration" || type === "FunctionExpression" || type === "ArrowFunctionExpression";
  return isFunction ? earlyReturn(node) : [];
}

function removed(node: OfType<"ExpressionStatement">): readonly Site[] {
  const call = callOf(node.expression);
  if (call === undefined || call.callee.type === "Super" || isLogCall(call)) return [];
  const name = lastName(call.callee) ?? "";
  const kind = KINDS.find(([, names]) => names.test(name));
  return [
    kind === undefined ? replacedStatement("removed-call", node, "call removed") : replacedStatement(kind[0], node, kind[2]),
  ];
}

function lostAwait(node: OfType<"ExpressionStatement">, text: string): readonly Site[] {
  const { expression } = node;
  if (expression.type !== "AwaitExpression") return [];
  const awaited = text.slice(expression.argument.start, expression.argument.end);
  return [replacedStatement("lost-await", node, "await becomes void", `void (${awaited});`)];
}

/** `using` becomes `const`. The unmutated form is equivalent: a resource declared next to it is disposed at the same time. */
function forgottenUsing(node: OfType<"VariableDeclaration">): readonly Site[] {
  const { kind, declarations, start, end, parent } = node;
  const [declared] = declarations;
  if ((kind !== "using" && kind !== "await using") || declared?.id.type !== "Identifier" || declarations.length !== 1) return [];
  if (parent?.type === "ForOfStatement" || parent?.type === "ForStatement") return [];
  const { name } = declared.id;
  return [
    {
      operator: "forgotten-close",
      start,
      end,
      change: `${kind} becomes const`,
      embed: (original, active) => `const${original.slice(kind.length)} ${kind} $${name} = ${active} ? undefined : ${name};`,
    },
  ];
}

/** A block of one statement is covered by the removal of that statement. */
function swallowedFinally({ finalizer }: OfType<"TryStatement">): readonly Site[] {
  if (finalizer === null || finalizer.body.length < 2) return [];
  const { start, end } = finalizer;
  const embed = (original: string, active: string) => `{ if (!${active}) ${original} }`;
  return [{ operator: "swallowed-finally", start, end, change: "finally skipped", embed }];
}

/** A function that returns nothing returns at once. A body of one call is covered by the removal of that call. */
function earlyReturn({ body, parent, returnType }: OfType<"ArrowFunctionExpression"> | FunctionNode): readonly Site[] {
  if (body?.type !== "BlockStatement") return [];
  if (parent?.type === "MethodDefinition" && parent.kind !== "method" && parent.kind !== "set") return [];
  if (!returnsNothing(returnType?.typeAnnotation)) return [];
  const [first] = body.body;
  if (first === undefined || (body.body.length === 1 && first.type === "ExpressionStatement" && callOf(first.expression)))
    return [];
  const embed = (original: string, active: string) => `{ if (${active}) return; ${original.slice(1)}`;
  return [{ operator: "early-return", start: body.start, end: body.end, change: "returns at once", embed }];
}

function returnsNothing(declared: Node | undefined): boolean {
  if (declared?.type === "TSVoidKeyword") return true;
  if (declared?.type !== "TSTypeReference" || lastName(declared.typeName as Node) !== "Promise") return false;
  return declared.typeArguments?.params[0]?.type === "TSVoidKeyword";
}
