/** How often a random experiment is repeated: a few times in `npm test`, many times in `npm run campaign` (test/campaigns/). */

/** In the environment of the tests of a campaign: how many times as long as usual it is, and another seed than usual. */
export const TIMES_VARIABLE = "TEST_CAMPAIGN_TIMES";
export const SEED_VARIABLE = "TEST_CAMPAIGN_SEED";

const times = Number(process.env[TIMES_VARIABLE] ?? 0);
const seed = Number(process.env[SEED_VARIABLE] ?? 0);

export const isCampaign = times > 0;

/** `few` in `npm test`; `many`, times what the campaign was told, in a campaign. */
export const repetitions = (few: number, many: number): number => (isCampaign ? many * times : few);

/** `count` seeds in a row, from `first` where the campaign was not told another seed. */
export const seedsFrom = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => seed * 1_000_000 + first + index);

/** For a property of fast-check, which prints its seed when it fails. */
export const propertyRuns = (few: number, many: number): { readonly numRuns: number; readonly seed?: number } => ({
  numRuns: repetitions(few, many),
  ...(seed === 0 ? {} : { seed }),
});
