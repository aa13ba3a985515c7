/** The schema's settings as a flat list: dotted path, environment variable, and how text becomes a value. */
import { z } from "zod";
import { configSchema } from "./schema.ts";

/** The type that text from the environment is converted to. */
type LeafKind = "text" | "integer" | "texts";

export interface Leaf {
  /** Dotted, for example `nats.url`. */
  readonly path: string;
  /** For example `OCPARTNERD_NATS_URL`. */
  readonly env: string;
  readonly kind: LeafKind;
  readonly description: string;
  /** The default as JSON text, or undefined if there is none. */
  readonly preset: string | undefined;
  /** The words or the range that the schema accepts; undefined where it accepts any text. */
  readonly allowed: string | undefined;
}

export const ENV_PREFIX = "OCPARTNERD_";

export const leaves: readonly Leaf[] = [...leavesOf(configSchema, [])];

/**
 * Converts `raw`, text from the environment, to a value for `leaf`. Text that is not a number stays text, which the schema
 * rejects.
 */
export function fromText(leaf: Leaf, raw: string): unknown {
  switch (leaf.kind) {
    case "text":
      return raw;
    case "integer":
      return integerOr(raw);
    case "texts":
      return raw === ""
        ? []
        : raw.split(",").map((item) => (leaf.path === "events.peerDatatypes" ? integerOr(item.trim()) : item.trim()));
  }
}

function* leavesOf(schema: z.core.$ZodType, path: readonly string[]): Generator<Leaf> {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    for (const [key, child] of Object.entries(inner.shape)) yield* leavesOf(child as z.core.$ZodType, [...path, key]);
    return;
  }
  yield {
    path: path.join("."),
    env: ENV_PREFIX + path.map((part) => part.replace(/([A-Z])/g, "_$1").toUpperCase()).join("_"),
    kind: inner instanceof z.ZodArray ? "texts" : inner instanceof z.ZodNumber ? "integer" : "text",
    description: z.globalRegistry.get(schema)?.description ?? z.globalRegistry.get(inner)?.description ?? "",
    preset: presetOf(schema, path),
    allowed: allowedBy(inner),
  };
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrap(schema.def.innerType);
  if (schema instanceof z.ZodPipe) {
    const out = unwrap(schema.def.out);
    return out instanceof z.ZodObject ? out : unwrap(schema.def.in);
  }
  return schema;
}

function presetOf(schema: z.core.$ZodType, path: readonly string[]): string | undefined {
  if (path[0] === "name") return "the host's name";
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return JSON.stringify(schema.def.defaultValue);
  return undefined;
}

function allowedBy(schema: z.core.$ZodType): string | undefined {
  if (schema instanceof z.ZodEnum) return schema.options.join(", ");
  if (schema instanceof z.ZodNumber) return `${schema.minValue} to ${schema.maxValue}`;
  return undefined;
}

function integerOr(raw: string): number | string {
  return /^-?\d+$/.test(raw) ? Number(raw) : raw;
}
