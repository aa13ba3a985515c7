/** Sizes for people. */

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/** Such as `912 bytes`, `7.2 MiB`. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  for (; value >= 1_024 && unit < UNITS.length - 1; unit++) value /= 1_024;
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
