/** Preloaded into a daemon (`--import` with `?plant=NAME`): plants the named bug in the daemon's source as it is loaded. */
import { registerHooks } from "node:module";
import { directoryUrl } from "../sim/plants/load.ts";
import { patched } from "../sim/plants/plant.ts";
import { crashPlantOf } from "./plants.ts";

const name = new URL(import.meta.url).searchParams.get("plant") ?? "";
const plant = crashPlantOf(name);
if (plant === undefined) throw new Error(`unknown planted bug ${JSON.stringify(name)}`);
const target = new URL(plant.file, directoryUrl(`${import.meta.dirname}/../..`)).href;

registerHooks({
  load: (url, context, next) => {
    const loaded = next(url, context);
    if (url !== target) return loaded;
    const { source } = loaded;
    return {
      ...loaded,
      source: patched(typeof source === "string" ? source : new TextDecoder().decode(source ?? undefined), plant),
    };
  },
});
