import { describe, expect, it } from "vitest";
import { abortable } from "../../src/base/pause.ts";

const NEVER = new AbortController().signal;

describe("abortable", () => {
  it("settles like the work if nothing aborts", async () => {
    await expect(abortable(Promise.resolve(1), NEVER)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error("no")), NEVER)).rejects.toThrow("no");
  });

  it("rejects with the reason immediately, even if already aborted", async () => {
    const controller = new AbortController();
    const waiting = abortable(new Promise(() => {}), controller.signal);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(abortable(Promise.resolve(1), controller.signal)).rejects.toThrow("enough");
  });

  it("hands over a late result exactly once and drops a late failure", async () => {
    const controller = new AbortController();
    const late: number[] = [];
    const { promise, resolve } = Promise.withResolvers<number>();
    const failing = Promise.withResolvers<number>();
    const waits = [promise, failing.promise].map((work) => abortable(work, controller.signal, (result) => late.push(result)));
    controller.abort(new Error("enough"));
    resolve(7);
    failing.reject(new Error("late"));
    expect((await Promise.allSettled(waits)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(late).toEqual([7]);
  });
});
