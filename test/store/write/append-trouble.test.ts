import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { AppendTrouble } from "../../../src/store/write/append-trouble.ts";

const full = new PartnerdError("database_failed", "disk is full");
const locked = new PartnerdError("database_failed", "database is locked", { details: { isPassing: true } });

let trouble: AppendTrouble;
beforeEach(() => {
  trouble = new AppendTrouble();
});

describe("AppendTrouble", () => {
  it("reports a failing disk at once, a series of failures as new once, and its end", () => {
    expect(trouble.failed(full, 0)).toEqual({ retryMs: 1_000, reported: { isNew: true } });
    expect(trouble.failed(full, 1_000)).toEqual({ retryMs: 1_000, reported: { isNew: false } });
    expect([trouble.newest, trouble.reported]).toEqual([full, full]);
    expect(trouble.succeeded()).toBe(true);
    expect([trouble.newest, trouble.reported]).toEqual([null, null]);
    expect(trouble.failed(full, 2_000).reported).toEqual({ isNew: true });
  });

  it("retries soon while the database is locked, and reports a lock only if it is held for a second", () => {
    expect(trouble.failed(locked, 0)).toEqual({ retryMs: 50, reported: undefined });
    expect(trouble.failed(locked, 999).reported).toBeUndefined();
    expect([trouble.newest, trouble.reported]).toEqual([locked, null]);
    expect(trouble.failed(locked, 1_000)).toEqual({ retryMs: 50, reported: { isNew: true } });
    expect(trouble.failed(locked, 1_050)).toEqual({ retryMs: 50, reported: { isNew: false } });
    expect(trouble.succeeded()).toBe(true);
  });

  it("counts the second from the first failure after a success", () => {
    trouble.failed(locked, 0);
    expect(trouble.succeeded()).toBe(false);
    expect(trouble.failed(locked, 5_000).reported).toBeUndefined();
  });

  it("keeps a failing disk reported although the database is locked next", () => {
    trouble.failed(full, 0);
    expect(trouble.failed(locked, 10).reported).toEqual({ isNew: true });
    expect(trouble.reported).toBe(locked);
  });
});
