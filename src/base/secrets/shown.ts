/**
 * Decides how much of a value a message may show. A value in the wrong place may be a secret: a key where its file is wanted, a token
 * where an address is wanted. Pure.
 */

/** A value for a message: as it is, without the credentials of its URLs, or only described if it may hold a secret. */
export function shownValue(value: unknown): string {
  if (typeof value !== "string") return typeof value === "object" && value !== null ? kindOf(value) : String(value);
  if (looksSecret(value)) return described(value, "looks like a secret");
  // A wrong value has an `@` only after user info, or in a password.
  return JSON.stringify(withoutAnyUserInfo(value).replace(/^\*\*\*@(?![\w.-]+(?::\d{1,5})?$).*/, "***"));
}

/** The value of a setting that is one of a few words. Only a word is shown. */
export function shownChoice(value: unknown): string {
  const isShown = typeof value !== "string" || looksSecret(value) || /^[a-z_-]{0,20}$/i.test(value);
  return isShown ? shownValue(value) : described(value, "may be a secret");
}

/** The value of a setting that names a file, for a message. Only a path is shown. */
export function shownPath(value: unknown): string {
  if (typeof value === "string" && isPath(value)) return `"${value}"`;
  return typeof value === "string" && value !== "" ? described(value, "may be the secret itself") : hiddenValue(value);
}

/** The value of a setting that is a secret, or has one within it. */
export function hiddenValue(value: unknown): string {
  if (value === "") return '""';
  return typeof value === "object" && value !== null ? kindOf(value) : "the value";
}

/** A key of an object, or a word of a command line. */
export function shownWord(word: string): string {
  return looksSecret(word) ? "***" : withoutUserInfo(word);
}

/** The next step if `shownPath` does not show a value; else `otherwise`. */
export function pathNextStep(value: string, otherwise: string): string {
  return isPath(value)
    ? otherwise
    : "put the secret in a file and give the path of the file; write ./NAME for a file in the current directory";
}

/**
 * True if `text` has the form of a path: it begins with /, ./, ../ or ~/, or consists of names with a slash or an extension. A lone
 * word may be a password, and a random part may be a key, except in a path from a known place: those of /var/lib/docker are hashes.
 */
export function isPath(text: string): boolean {
  if (isKeyText(text)) return false;
  if (FROM_KNOWN_PLACE.test(text)) return true;
  if (text.startsWith("/")) return !isRandom(text, SHORTEST_RANDOM_IN_PATH);
  return (
    !isRandom(text, SHORTEST_RANDOM) &&
    /^(?:[\p{L}\p{M}\p{N}_. -]+(?:\/[\p{L}\p{M}\p{N}_. -]+)+\/?|[\w-]+(?:\.[a-z][a-z0-9]*)+)$/u.test(text)
  );
}

/** True if the name of a host looks like a token instead: one label that is random. */
export function isTokenAsHost(host: string): boolean {
  return !host.includes(".") && !host.includes(":") && isRandom(host, SHORTEST_RANDOM);
}

/** `text` with the credentials of every URL in it hidden: for text that may repeat a word of the command line. */
export function withoutUserInfo(text: string): string {
  return (
    text
      .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"'`]*@/gi, "$1***@")
      // A user and a password without a scheme.
      .replace(/(?<![^\s"'`])[^\s"'`/:@]+:(?!\/\/)[^\s"'`]*@/g, "***@")
      // A user and a password whose host was forgotten.
      .replace(/([a-z][a-z0-9+.-]*:\/\/)(?!\[)[^\s"'`/]*:(?!\d{1,5}(?!\w))[^\s"'`]+/gi, "$1***")
      .replace(/([?&]\w*(?:token|pass)\w*=)[^\s"'`&]*/gi, "$1***")
  );
}

/** `value`, which is one address, also without user info that no scheme precedes. */
export function withoutAnyUserInfo(value: string): string {
  return withoutUserInfo(value).replace(/^(?![a-z][a-z0-9+.-]*:\/\/).*@/i, "***@");
}

/** Keys in base64 may begin with a slash, but then have capitals, and rarely a word between the first two slashes. */
const FROM_KNOWN_PLACE = /^(?:(?:~|\.{1,2})\/|\/[A-Z]?[a-z]{2,}[a-z\d._-]*\/|\/[^A-Z+=]*$)/;

/** Shorter words are passwords or names, which no rule can tell apart. */
const SHORTEST_RANDOM = 12;
/** Names of temporary and mounted directories have shorter random parts. */
const SHORTEST_RANDOM_IN_PATH = 24;
/** Changes between digits, capitals and small letters. Words with a number or in camel case have fewer. */
const MOST_CHANGES_OF_A_NAME = 5;

/** PeerIDs look random, and are public. */
const PEER_ID = /12D3KooW\w*|16Uiu2HA\w*|Qm[1-9A-HJ-NP-Za-km-z]{44}/g;

/** Keys and tokens, also within a URL or a sentence. */
const looksSecret = (text: string): boolean =>
  isKeyText(text) || (isRandom(text, SHORTEST_RANDOM) && !isPath(text.replace(/^unix:/, "")));

const UUID = /[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}/i;

/** True if `text` has a UUID, or a part of at least `shortest` letters and digits mixes them as only keys and tokens do. */
function isRandom(text: string, shortest: number): boolean {
  if (UUID.test(text)) return true;
  return (text.replace(PEER_ID, "").match(/[A-Za-z0-9+=]+/g) ?? []).some((part) => {
    const runs = part.match(/\d+|[A-Z]+|[a-z]+|[+=]+/g)?.length ?? 0;
    return part.length >= shortest && /\d/.test(part) && /[A-Za-z]/.test(part) && runs - 1 > MOST_CHANGES_OF_A_NAME;
  });
}

/** Keys in PEM and swarm keys have several lines, or had them before a shell joined them. */
function isKeyText(text: string): boolean {
  return /\p{Cc}|-----BEGIN|\/key\/swarm/u.test(text);
}

const kindOf = (value: object): string => (Array.isArray(value) ? `a list of ${value.length}` : "an object");

const described = (text: string, what: string): string => `the value (${text.length} characters; it ${what})`;
