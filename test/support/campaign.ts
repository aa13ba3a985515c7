/** How often a randomized test is repeated: a few times in `npm test`, many times in `npm run campaign` (test/campaigns/). */

/** Environment variables of a campaign's tests: the multiplier of the number of rounds, and the seed. */
export const TIMES_VARIABLE = "TEST_CAMPAIGN_TIMES";
export const SEED_VARIABLE = "TEST_CAMPAIGN_SEED";

const times = Number(process.env[TIMES_VARIABLE] ?? 0);
const seed = Number(process.env[SEED_VARIABLE] ?? 0);

export const isCampaign = times > 0;

/** `few` in `npm test`; in a campaign, `many` times its multiplier. */
export const repetitions = (few: number, many: number): number => (isCampaign ? Math.ceil(many * times) : few);

/** `count` consecutive seeds, starting at `first` unless the campaign has another seed. */
export const seedsFrom = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => seed * 1_000_000 + first + index);

/** Parameters for a fast-check property, which prints its seed when it fails. */
export const propertyRuns = (few: number, many: number): { readonly numRuns: number; readonly seed?: number } => ({
  numRuns: repetitions(few, many),
  ...(seed === 0 ? {} : { seed }),
});
