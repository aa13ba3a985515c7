import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { removeLeftovers } from "../../../src/store/archive/remove-archived.ts";
import { archiveRows } from "../../../src/store/sql/statements/archive-rows.ts";
import { errorWith } from "../../support/matchers.ts";
import { rawConnection, TemporaryStore } from "../support/temporary-store.ts";

it("leftovers that SQLite cannot remove now stay for the next start; a fault of the program does not pass", () => {
  using temporary = new TemporaryStore();
  using reading = rawConnection(temporary.path, { readonly: true });
  temporary.write("pragma user_version = 1");
  expect(() => removeLeftovers(reading.database)).not.toThrow();
  const closed = new Database(":memory:");
  closed.close();
  expect(() => removeLeftovers(closed)).toThrow(TypeError);
});

it("the state of an anchor that does not exist is a failure of the database", () => {
  using temporary = new TemporaryStore();
  using reading = rawConnection(temporary.path, { readonly: true });
  expect(() => archiveRows(reading.database).archivedState({ lastSeq: 7 })).toThrow(
    errorWith("database_failed", /no archive_anchor 7/),
  );
});
