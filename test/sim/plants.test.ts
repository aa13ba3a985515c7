import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PLANTS, plantOf } from "./plants/all.ts";
import { type Plant, patched } from "./plants/plant.ts";

const ROOT = join(import.meta.dirname, "../..");
const LOADER = join(import.meta.dirname, "plants/load.ts");

describe("every planted bug", () => {
  it.each(PLANTS.map((plant) => [plant.name, plant] as const))("%s fits the current code", (_, plant) => {
    const source = readFileSync(join(ROOT, plant.file), "utf8");
    expect(patched(source, plant)).not.toBe(source);
  });

  it("has a unique name and a one-sentence description", () => {
    expect(new Set(PLANTS.map(({ name }) => name)).size).toBe(PLANTS.length);
    for (const plant of PLANTS) {
      expect(plant.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(plantOf(plant.name)).toBe(plant);
      expect(plant.what).toMatch(/^[A-Z][^|\n]*\.$/);
    }
    expect(plantOf("toString")).toBeUndefined();
  });

  it("is described in docs/PLANTED-BUGS.md in the same words", () => {
    const rows = readFileSync(join(ROOT, "docs/PLANTED-BUGS.md"), "utf8").split("\n");
    const described = rows.filter((row) => row.startsWith("| `")).map((row) => row.split(" | ").slice(0, 3).join(" | "));
    expect(described).toEqual(PLANTS.map(({ name, what, file }) => `| \`${name}\` | ${what} | \`${file}\``));
  });
});

const plant: Plant = {
  name: "greets-mars",
  what: "The wrong name is greeted.",
  file: "greeting.ts",
  find: '"world"',
  replace: '"$&mars"',
};

describe("a plant", () => {
  it("changes only its snippet, and inserts the replacement literally", () => {
    expect(patched('const whom = "world";', plant)).toBe('const whom = "$&mars";');
  });

  it.each(["", '"world" + "world"'])("reports that it does not fit %j", (source) => {
    expect(() => patched(source, plant)).toThrow(/greets-mars does not fit greeting\.ts: its snippet occurs \d times, not once/);
  });
});

describe("the loader", () => {
  const HANGS_AFTER_MS = 60_000;

  /** Runs `script` as a module beside the files, with `load`, `root` and `plant` in scope. */
  function run(script: string, files: Readonly<Record<string, string>> = FILES) {
    const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-plants-"));
    try {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
      const prelude = `
        import { directoryUrl, loadWith } from ${JSON.stringify(LOADER)};
        const root = directoryUrl(import.meta.dirname);
        const plant = ${JSON.stringify(plant)};
        const load = async (plant, name = "entry.ts") => loadWith(plant, new URL(name, root), root);`;
      writeFileSync(join(directory, "script.mjs"), `${prelude}\n${script}`);
      const { stdout, stderr } = spawnSync(process.execPath, [join(directory, "script.mjs")], {
        encoding: "utf8",
        timeout: HANGS_AFTER_MS,
      });
      return { stdout, stderr };
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  const FILES = {
    "entry.ts": 'import { whom } from "./middle.ts";\nexport const text = (): string => ["hello", whom].join(" ");',
    "middle.ts": 'export { whom } from "./greeting.ts";\nexport type Unused = string;',
    "greeting.ts": 'export const whom: string = "world";',
    "other.ts": "export {};",
  };

  it("plants a bug in an indirectly imported TypeScript module, beside the sound module", () => {
    const { stdout, stderr } = run(`
      const sound = await load(undefined);
      const broken = await load(plant);
      console.log([sound.text(), broken.text(), (await load(undefined)).text(), (await load(plant)) === broken].join());`);
    expect(stderr).toBe("");
    expect(stdout).toBe("hello world,hello $&mars,hello world,true\n");
  });

  it("reports a snippet that is missing", () => {
    const { stderr } = run("await load(plant);", { ...FILES, "greeting.ts": 'export const whom = "moon";' });
    expect(stderr).toContain("greets-mars does not fit greeting.ts");
  });

  it("reports a file with the snippet that is never loaded", () => {
    const { stderr } = run('await load(plant, "other.ts");');
    expect(stderr).toContain("greets-mars has no effect");
    expect(stderr).toContain("never loads greeting.ts");
  });
});
