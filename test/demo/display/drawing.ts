/** docs/demo.svg as text: the last screen of the run that it draws. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const FILE = join(import.meta.dirname, "../../../docs/demo.svg");
const ENTITIES: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

/** The lines that are not empty, each as its pieces of text. */
export function drawnLines(): readonly (readonly string[])[] {
  const lines = [...readFileSync(FILE, "utf8").matchAll(/<text y=[^>]*>(.*)<\/text>/g)];
  return lines.map(([, line = ""]) => [...line.matchAll(/<tspan[^>]*>([^<]*)</g)].map(([, piece = ""]) => plain(piece)));
}

const plain = (text: string): string => text.replaceAll(/&\w+;/g, (entity) => ENTITIES[entity] ?? entity);

/** The sentences of the audit trail that name an app, which are the same in every run. */
export function askedFor(lines: readonly (readonly string[])[]): readonly string[] {
  return lines.flatMap((line) => line.filter((piece) => / by oc-api\b/.test(piece)));
}
