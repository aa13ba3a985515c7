/**
 * Loads a module with a bug planted in it or in its imports. The planted modules are copies beside the sound ones, told apart by a query
 * in their URLs, so that one thread can load both.
 */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";
import { type Plant, patched } from "./plant.ts";

const PARAMETER = "planted";

/** A planted bug, the root of the patched tree, and whether the patched file has been loaded. */
interface Planted {
  readonly plant: Plant;
  readonly root: string;
  applied: boolean;
}

const planted = new Map<string, Planted>();
let hooked = false;

/**
 * Imports the module at `entry`; with a plant, a copy of it and of its imports below `root`, with that bug. Throws if the snippet does
 * not fit or its file is never loaded.
 */
export async function loadWith(plant: Plant | undefined, entry: URL, root: URL): Promise<unknown> {
  if (plant === undefined) return import(entry.href);
  if (!hooked) registerHooks({ resolve, load });
  hooked = true;
  const state = planted.get(plant.name) ?? { plant, root: root.href, applied: false };
  planted.set(plant.name, state);
  const module: unknown = await import(withPlant(entry.href, plant.name));
  if (!state.applied) throw new Error(`the planted bug ${plant.name} has no effect: ${entry.pathname} never loads ${plant.file}`);
  return module;
}

type Hooks = Parameters<typeof registerHooks>[0];

const resolve: Hooks["resolve"] = (specifier, context, next) => {
  const resolved = next(specifier, context);
  const state = stateOf(context.parentURL);
  if (state === undefined || !resolved.url.startsWith(state.root) || !/^(?!.*\/node_modules\/).*\.ts$/.test(resolved.url))
    return resolved;
  return { ...resolved, url: withPlant(resolved.url, state.plant.name) };
};

const load: Hooks["load"] = (url, context, next) => {
  const loaded = next(url, context);
  const state = stateOf(url);
  if (state === undefined || new URL(url).pathname !== new URL(state.plant.file, state.root).pathname) return loaded;
  const { source } = loaded;
  const text = typeof source === "string" ? source : new TextDecoder().decode(source ?? undefined);
  const changed = patched(text, state.plant);
  state.applied = true;
  return { ...loaded, source: changed };
};

function withPlant(url: string, name: string): string {
  return `${url}?${PARAMETER}=${name}`;
}

function stateOf(url: string | undefined): Planted | undefined {
  const name = url?.startsWith("file:") === true ? new URL(url).searchParams.get(PARAMETER) : null;
  return name === null ? undefined : planted.get(name);
}

/** A directory as a URL that paths can be resolved against. */
export function directoryUrl(path: string): URL {
  return pathToFileURL(`${path}/`);
}
