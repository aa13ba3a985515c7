/** docs/HTTP.md has a section for each route, a row for each field that it shows, and errors as they are served. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../src/base/log.ts";
import { createApp } from "../../src/http/app.ts";
import type { Views } from "../../src/views/views.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/HTTP.md"), "utf8");

/** Only what the routes below call. */
const app = createApp({ peer: () => undefined } as unknown as Views, silentLogger);

const examples = [...PAGE.matchAll(/^\$ curl -s (?:-X POST )?http:\/\/127\.0\.0\.1:4012(\/\S*)[^\n]*\n([^$`]+)/gm)].map(
  ([, path = "", shown = ""]) => ({ path, shown }),
);

describe("docs/HTTP.md", () => {
  test("has a section for each route, and no other", () => {
    const sections = [...PAGE.matchAll(/^##+ ((?:GET|POST) \/\S*)$/gm)].map(([, section]) => section);
    expect(sections).toEqual(app.routes.map(({ method, path }) => `${method} ${path}`));
  });

  test("has an example of each route", () => {
    const shown = examples.map(({ path }) => path.replace(/\/12D3\w+$/, "/:peerId"));
    expect(app.routes.filter(({ path }) => !shown.includes(path))).toEqual([]);
  });

  test("has a row for each field that an example shows", () => {
    const rows = [...PAGE.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = ""]) => cell.match(/\w+/g) ?? []);
    const fields = examples.filter(({ path }) => path !== "/metrics").flatMap(({ shown }) => fieldsOf(JSON.parse(shown)));
    expect(fields.length).toBeGreaterThan(50);
    expect(fields.filter((field) => !rows.includes(field) && !["error", "status"].includes(field))).toEqual([]);
  });

  test.each(examples.filter(({ shown }) => shown.startsWith('{"error"')))("shows the error of $path", async ({ path, shown }) => {
    expect(`${await (await app.request(path)).text()}\n`).toBe(shown);
  });
});

function fieldsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...fieldsOf(inner)]);
}
