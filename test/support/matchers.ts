/** Vitest's matchers of text, typed as the text that they stand for. */
import { expect } from "vitest";
import type { ErrorCode, PartnerdError } from "../../src/base/errors.ts";

export const matching = (pattern: RegExp) => expect.stringMatching(pattern) as string;

/** A PartnerdError with this code and message, for `toThrow`. */
export const errorWith = (code: ErrorCode, message: RegExp) =>
  expect.objectContaining({ name: "PartnerdError", code, message: matching(message) }) as PartnerdError;
