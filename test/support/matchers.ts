/** Vitest's string matchers, typed as the values that they match. */
import { expect } from "vitest";
import type { ErrorCode, PartnerdError } from "../../src/base/errors.ts";

export const matching = (pattern: RegExp) => expect.stringMatching(pattern) as string;

/** A PartnerdError with this code and message, for `toThrow`. */
export const errorWith = (code: ErrorCode, message: RegExp) =>
  expect.objectContaining({ name: "PartnerdError", code, message: matching(message) }) as PartnerdError;
