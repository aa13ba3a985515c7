/** Commands for model-based tests: each acts on a model and on the real system, which must then agree. */
import type fc from "fast-check";

/** Creates commands followed by `compare`. `text` is printed if a test fails; `check` says whether the model allows the command. */
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
