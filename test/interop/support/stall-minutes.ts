/** How long the scenarios with stalls last. */
export const STALL_MINUTES = Number(process.env["INTEROP_STALL_MINUTES"] ?? 0.25);
/** Runs at least this long go into the page. */
export const PAGE_MINUTES = 10;
