/** Every example in docs/SQL.md runs, and gives the table below it. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { storyFor } from "./support/page-story.ts";
import { toldStory } from "./support/story.ts";
import type { TemporaryStore } from "./support/temporary-store.ts";

const DOCUMENT = readFileSync(join(import.meta.dirname, "../../docs/SQL.md"), "utf8");

/** A query, and the lines after it up to the next empty line. */
const examples = [...DOCUMENT.matchAll(/```sql\n(?<query>[^`]+)```\n\n(?<table>(?:\|.*\n)*)/g)].map(({ groups, index }) => ({
  query: groups?.["query"] ?? "",
  table: groups?.["table"] ?? "",
  heading: /^## (.*)$/m.exec(DOCUMENT.slice(DOCUMENT.lastIndexOf("\n## ", index)))?.[1] ?? "",
}));

const hasShell = spawnSync("sqlite3", ["-version"]).status === 0;

function markdownTable(rows: ReturnType<TemporaryStore["read"]>): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [columns, columns.map(() => "---"), ...rows.map((row) => columns.map((column) => row[column]?.toString() ?? ""))];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

describe("docs/SQL.md", () => {
  it("has examples", () => {
    expect(examples.length).toBeGreaterThan(8);
  });

  it.each(examples)("shows the result of: $query", async ({ query, table, heading }) => {
    using story = await storyFor(heading);
    expect(markdownTable(story.read(query))).toBe(table);
  });

  it.skipIf(!hasShell)("also runs in the sqlite3 shell", async () => {
    for (const { query, heading } of examples) {
      using story = await storyFor(heading);
      expect(JSON.parse(execFileSync("sqlite3", ["-readonly", "-json", story.path, query], { encoding: "utf8" }))).toEqual(
        story.read(query),
      );
    }
  });

  it.skipIf(!hasShell)("shows a command that decodes a payload", () => {
    using story = toldStory();
    const [, command = ""] = /```sh\n(.*base64 -d)\n```/.exec(DOCUMENT) ?? [];
    const text = execFileSync("sh", ["-c", command], { cwd: story.directory, encoding: "utf8" });
    expect(JSON.parse(text)).toMatchObject({ id: "res-lyon", name: "lyon-1", relation: "NONE" });
  });

  it("names every column of every view, in order", () => {
    using story = toldStory();
    const views = story.read("select name from sqlite_schema where type = 'view'").map(({ name }) => String(name));
    expect(views.toSorted()).toEqual(
      [
        "archives",
        "delivery_changes",
        "delivery_gaps",
        "desired_peers",
        "events",
        "outage_periods",
        "partner_periods",
        "peer_history",
        "peer_programs",
        "peer_status",
        "rejected_events",
        "relation_changes",
        "rollbacks",
        "runs",
        "session_periods",
        "standing_periods",
        "uptime_daily",
      ].toSorted(),
    );
    for (const view of views) {
      const described = new RegExp(`^\`${view}\`: (?<text>(?:.+\\n)+)`, "m").exec(DOCUMENT)?.groups?.["text"] ?? "";
      const columns = story.read(`select name from pragma_table_info('${view}') order by cid`).map(({ name }) => String(name));
      const named = [...described.matchAll(/`(\w+)`/g)].map(([, name]) => name);
      expect(named).toEqual(columns);
    }
  });
});
