/** Measures which source code the current thread executes. Slows it down. */
import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";
import { isInScope } from "./places.ts";
import { executed, type Reach, Reached } from "./reached.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export class Meter {
  readonly #session = new Session();
  readonly #reached = new Reached();

  private constructor() {
    this.#session.connect();
  }

  /** Start it before the modules are loaded that it is to measure. */
  static async start(): Promise<Meter> {
    const meter = new Meter();
    await meter.#session.post("Profiler.enable");
    await meter.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
    return meter;
  }

  /** The code that was reached since the last call, and never before in this thread. */
  async take(): Promise<Reach> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    return result.flatMap(({ url, functions }) => {
      // A planted bug is in a copy, whose URL has a query.
      const file = url.startsWith("file:") && !url.includes("?") ? fileURLToPath(url).replace(ROOT, "") : "";
      if (!isInScope(file)) return [];
      const spans = this.#reached.add(file, executed(functions));
      return spans.length === 0 ? [] : [{ file, spans }];
    });
  }
}
