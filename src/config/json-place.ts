/** Finds where text stops being JSON. The parser's own messages quote the text, which may hold a secret. Pure. */

const WHITE_SPACE = /[ \t\r\n]*/y;
const TOKEN =
  /[{}[\],:]|"(?:[^"\\\p{Cc}]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/uy;

/** The kinds of token that may come next: a value, a key, or what separates them. `first` allows an empty object or array. */
type Expected = "value" | "first value" | "key" | "first key" | "colon" | "separator";

/** The place of the first character that cannot be part of JSON, counted from 1: `line 3, column 12`. */
export function placeOfJsonFault(text: string): string {
  const before = text.slice(0, offsetOfFault(text)).split("\n");
  return `line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`;
}

function offsetOfFault(text: string): number {
  const open: string[] = [];
  let expected: Expected = "value";
  for (let at = 0; ; ) {
    at += matchAt(WHITE_SPACE, text, at)?.length ?? 0;
    const token = matchAt(TOKEN, text, at);
    const next: Expected | undefined = token === undefined ? undefined : after(token, expected, open);
    if (token === undefined || next === undefined) return at;
    expected = next;
    at += token.length;
  }
}

function matchAt(sticky: RegExp, text: string, at: number): string | undefined {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0];
}

/** The kind that may follow `token`, or undefined if it is not what was expected. Keeps `open`, the brackets that are open. */
function after(token: string, expected: Expected, open: string[]): Expected | undefined {
  const inner = open.at(-1);
  switch (expected) {
    case "value":
    case "first value":
      if (token === "]" && expected === "first value") return closed(open);
      if (token === "{" || token === "[") {
        open.push(token);
        return token === "{" ? "first key" : "first value";
      }
      return /^[\]},:]$/.test(token) ? undefined : "separator";
    case "key":
    case "first key":
      if (token === "}" && expected === "first key") return closed(open);
      return token.startsWith('"') ? "colon" : undefined;
    case "colon":
      return token === ":" ? "value" : undefined;
    case "separator":
      if (token === "," && inner !== undefined) return inner === "{" ? "key" : "value";
      return (token === "}" && inner === "{") || (token === "]" && inner === "[") ? closed(open) : undefined;
  }
}

function closed(open: string[]): Expected {
  open.pop();
  return "separator";
}
