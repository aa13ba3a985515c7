/** Parsers for numbers on the command lines of test programs. They throw errors that commander prints with the usage. */
import { InvalidArgumentError } from "commander";

export function whole(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw new InvalidArgumentError("expected a whole number, 0 or more");
  return number;
}

export function positive(text: string): number {
  const number = whole(text);
  if (number === 0) throw new InvalidArgumentError("expected a whole number, 1 or more");
  return number;
}

/** A positive number with or without decimals. */
export function multiplier(text: string): number {
  const number = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || number === 0) throw new InvalidArgumentError("expected a number greater than 0");
  return number;
}
