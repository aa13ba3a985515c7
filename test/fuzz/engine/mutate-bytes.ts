/** Mutations that know nothing of a format. */
import type { Dice } from "./dice.ts";
import { INTEGERS, INVALID_UTF8, NUMBERS } from "./hostile.ts";

/** Changes `input`, which it leaves as it is; `other` is another seed. */
export type Mutation = (input: Uint8Array, other: Uint8Array, dice: Dice) => Uint8Array;

const MOST_REPEATS = 2_000;

/** `input` with `removed` bytes at `at` replaced. */
const replaced = (input: Uint8Array, at: number, removed: number, by: Uint8Array): Uint8Array =>
  Buffer.concat([input.subarray(0, at), by, input.subarray(at + removed)]);

function range(input: Uint8Array, dice: Dice): { readonly at: number; readonly length: number } {
  const at = dice.below(input.length);
  return { at, length: Math.min(input.length - at, dice.length(input.length + 1)) };
}

function changed(input: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array {
  // Not slice(), which shares the memory if `input` is a Buffer.
  const copy = new Uint8Array(input);
  if (copy.length > 0) change(copy);
  return copy;
}

const flipBit: Mutation = (input, _other, dice) =>
  changed(input, (copy) => {
    const at = dice.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << dice.below(8));
  });

const setByte: Mutation = (input, _other, dice) =>
  changed(input, (copy) => {
    copy[dice.below(copy.length)] = dice.pick([
      0,
      0x0a,
      0x0d,
      0x20,
      0x22,
      0x2f,
      0x5c,
      0x5b,
      0x7b,
      0x7d,
      0x7f,
      0x80,
      0xff,
      dice.below(256),
    ]);
  });

const setInteger: Mutation = (input, _other, dice) =>
  changed(input, (copy) => {
    const number = dice.pick(INTEGERS);
    const size = Math.min(copy.length, dice.pick([1, 2, 4]));
    const at = dice.below(copy.length - size + 1);
    const isLittle = dice.chance(0.2);
    for (let index = 0; index < size; index++) copy[at + index] = (number >>> (8 * (isLittle ? index : size - 1 - index))) & 0xff;
  });

const truncate: Mutation = (input, _other, dice) => input.slice(0, dice.below(input.length + 1));

const remove: Mutation = (input, _other, dice) => {
  const { at, length } = range(input, dice);
  return replaced(input, at, length, new Uint8Array());
};

const insert: Mutation = (input, _other, dice) => {
  const at = dice.below(input.length + 1);
  return replaced(input, at, 0, dice.chance(0.5) ? dice.bytes(dice.length(64)) : dice.pick(INVALID_UTF8));
};

/** Repeats a part, sometimes so often that the input becomes long or deep. */
const repeat: Mutation = (input, _other, dice) => {
  const { at, length } = range(input, dice);
  const part = input.subarray(at, at + length);
  return replaced(input, at, 0, Buffer.concat(Array.from({ length: dice.length(MOST_REPEATS) }, () => part)));
};

const pad: Mutation = (input, _other, dice) =>
  replaced(
    input,
    dice.below(input.length + 1),
    0,
    new Uint8Array(dice.length(20_000)).fill(dice.pick([0x20, 0x0a, 0, 0x30, 0x61])),
  );

const move: Mutation = (input, _other, dice) => {
  const { at, length } = range(input, dice);
  const rest = replaced(input, at, length, new Uint8Array());
  return replaced(rest, dice.below(rest.length + 1), 0, input.subarray(at, at + length));
};

const splice: Mutation = (input, other, dice) =>
  Buffer.concat([input.subarray(0, dice.below(input.length + 1)), other.subarray(dice.below(other.length + 1))]);

const take: Mutation = (input, other, dice) => {
  const { at, length } = range(other, dice);
  const to = dice.below(input.length + 1);
  return replaced(input, to, dice.chance(0.5) ? Math.min(length, input.length - to) : 0, other.subarray(at, at + length));
};

/** Replaces a run of digits. */
const setNumber: Mutation = (input, _other, dice) => {
  const text = Buffer.from(input).toString("latin1");
  const runs = [...text.matchAll(/\d+/g)];
  if (runs.length === 0) return flipBit(input, input, dice);
  const run = dice.pick(runs);
  return replaced(input, run.index, run[0].length, Buffer.from(dice.pick(NUMBERS)));
};

export const BYTE_MUTATIONS: readonly Mutation[] = [
  flipBit,
  setByte,
  setInteger,
  truncate,
  remove,
  insert,
  repeat,
  pad,
  move,
  splice,
  take,
  setNumber,
];
