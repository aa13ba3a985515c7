/** Between the cells in the name of a test suite; the reporter splits it there. */
export const SEPARATOR = " · ";
