/** `text` with control characters written as escapes: names and addresses come from strangers and end up on terminals. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
