/** The pages: links lead somewhere, scripts exist, README.md names each command once, and docs/adr/README.md lists each decision once. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { sourceFiles } from "../architecture/source-tree.ts";

const ROOT = join(import.meta.dirname, "../..");
const DECISIONS = join(ROOT, "docs/adr");

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const pagesIn = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));

const pages = [...pagesIn("."), ...pagesIn("docs"), ...pagesIn("docs/adr")];

/** The anchors that a page's headings get, as GitHub makes them. */
function anchorsOf(path: string): readonly string[] {
  const headings = [...prose(read(path)).matchAll(/^#+ (.+)$/gm)];
  return headings.map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** A page without its code blocks. */
const prose = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");

test.each(pages)("the links of %s lead to files and headings that exist", (page) => {
  const links = [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  const dead = links.filter((link) => {
    if (/^https?:/.test(link)) return false;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? page : relative(ROOT, join(ROOT, dirname(page), file));
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).includes(anchor);
  });
  expect(dead).toEqual([]);
});

test("every npm script that a page names exists", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = pages.flatMap((page) =>
    [...read(page).matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(([, name = ""]) => name),
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
});

test("README.md has each command once in its table", () => {
  const listed = [...read("README.md").matchAll(/^\| ((?:`[^`]+`(?:, )?)+) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = ""]) => name),
  );
  const commands = sourceFiles.flatMap(({ path, text }) =>
    path.startsWith("cli/") ? [...text.matchAll(/return new Command\("(\w+)"\)/g)].map(([, name = ""]) => name) : [],
  );
  expect(commands.length).toBeGreaterThan(10);
  expect(listed.toSorted()).toEqual(commands.toSorted());
});

test("commands are written as they are run in a clone: bin/oc-partnerd", () => {
  const names =
    "run|status|peers|probe|resync|publish|setup|demo|record|export|redact|replay|shrink|reinterpret|check|backup|restore|archive|unarchive";
  const bare = new RegExp(`^.*(?<![\\w./-])oc-partnerd (?:${names})\\b.*$`, "gm");
  const code = (page: string) => [...read(page).matchAll(/^```(?:sh|console)\n[\s\S]*?^```|`[^`\n]+`/gm)].map(([text]) => text);
  expect(pages.flatMap((page) => code(page).flatMap((text) => text.match(bare) ?? []))).toEqual([]);
  expect(pages.flatMap(code).filter((text) => text.includes("bin/oc-partnerd ")).length).toBeGreaterThan(30);
});

describe("docs/adr/README.md", () => {
  test("lists each decision once, in order, by its title", () => {
    const rows = [...read("docs/adr/README.md").matchAll(/^\| (\d+) \| \[(.+)\]\((.+)\) \|/gm)].map(([, ...cells]) => cells);
    const files = readdirSync(DECISIONS).filter((name) => name !== "README.md");
    const titles = files.toSorted().map((name) => {
      const [, number = "", title = ""] = /^# (\d+)\. (.+)\n/.exec(read(join("docs/adr", name))) ?? [];
      return [number, title, name];
    });
    expect(rows).toEqual(titles);
    expect(files.length).toBeGreaterThan(10);
  });
});
