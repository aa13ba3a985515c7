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
  it.each(PLANTS.map((plant) => [plant.name, plant] as const))("%s fits the code as it is", (_, plant) => {
    const source = readFileSync(join(ROOT, plant.file), "utf8");
    expect(patched(source, plant)).not.toBe(source);
  });

  it("has a name of its own, by which it is found, and one sentence", () => {
    expect(new Set(PLANTS.map(({ name }) => name)).size).toBe(PLANTS.length);
    for (const plant of PLANTS) {
      expect(plant.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(plantOf(plant.name)).toBe(plant);
      expect(plant.what).toMatch(/^[A-Z][^|\n]*\.$/);
    }
    expect(plantOf("toString")).toBeUndefined();
  });
});

const plant: Plant = {
  name: "greets-nobody",
  what: "Nobody is greeted.",
  file: "greeting.ts",
  find: '"world"',
  replace: '"$&nobody"',
};

describe("a plant", () => {
  it("changes nothing but its snippet, and takes the replacement as it is", () => {
    expect(patched('const whom = "world";', plant)).toBe('const whom = "$&nobody";');
  });

  it.each(["", '"world" + "world"'])("that does not fit %j says so", (source) => {
    expect(() => patched(source, plant)).toThrow(
      /greets-nobody does not fit greeting\.ts any more: its snippet occurs \d times, not once/,
    );
  });
});

describe("the loader", () => {
  const HANGS_AFTER_MS = 60_000;

  /** Runs `script` as a module beside the files; it has loadWith, root and plant. */
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

  it("plants a bug deep in what a module imports, in TypeScript, beside the sound module", () => {
    const { stdout, stderr } = run(`
      const sound = await load(undefined);
      const broken = await load(plant);
      console.log([sound.text(), broken.text(), (await load(undefined)).text(), (await load(plant)) === broken].join());`);
    expect(stderr).toBe("");
    expect(stdout).toBe("hello world,hello $&nobody,hello world,true\n");
  });

  it("says where the snippet is gone", () => {
    const { stderr } = run("await load(plant);", { ...FILES, "greeting.ts": 'export const whom = "moon";' });
    expect(stderr).toContain("greets-nobody does not fit greeting.ts any more");
  });

  it("says where the file with the snippet is never loaded", () => {
    const { stderr } = run('await load(plant, "other.ts");');
    expect(stderr).toContain("greets-nobody has no effect");
    expect(stderr).toContain("never loads greeting.ts");
  });
});
