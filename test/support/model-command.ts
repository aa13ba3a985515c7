/** Commands of model-based tests: something that is done to a model and to the real thing, after which both must say the same. */
import type fc from "fast-check";

/** Gives commands that call `compare` after each. `text` is what a failing test prints; `check` says whether the model allows it. */
export function commandsComparedBy<Model extends object, Real>(compare: (model: Model, real: Real) => void) {
  return (
    text: string,
    run: (model: Model, real: Real) => Promise<void> | void,
    check: (model: Readonly<Model>) => boolean = () => true,
  ): fc.AsyncCommand<Model, Real> => ({
    check,
    async run(model, real) {
      await run(model, real);
      compare(model, real);
    },
    toString: () => text,
  });
}
