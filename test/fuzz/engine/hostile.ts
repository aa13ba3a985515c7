/** Values at the edges of formats, which parsers get wrong. */

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Invalid UTF-8: a lone byte, an overlong NUL, a surrogate, a code point that is too large, a truncated sequence; and a byte order mark. */
export const INVALID_UTF8: readonly Uint8Array[] = [
  bytesOf("\xff"),
  bytesOf("\xc0\x80"),
  bytesOf("\xed\xa0\x80"),
  bytesOf("\xf4\x90\x80\x80"),
  bytesOf("\xe2\x82"),
  bytesOf("\xef\xbb\xbf"),
];

export const INTEGERS: readonly number[] = [
  0, 1, 12, 15, 16, 17, 63, 64, 127, 128, 255, 256, 512, 2_048, 32_767, 32_768, 65_535, 65_536, 262_143, 262_144, 262_145,
  0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
];

/** Numbers as JSON spells them, some of which no double holds. */
export const NUMBERS: readonly string[] = [
  "0",
  "-0",
  "-1",
  "1e999",
  "-1e999",
  "5e-324",
  "1e308",
  "9007199254740993",
  "-9007199254740993",
  "4294967296",
  "0.1",
  "1e2",
  `1${"0".repeat(400)}`,
];

/** Text in JSON spelling, with its quotes. */
export const TEXTS: readonly string[] = [
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '"\\u202e\\u200b\\u0085"',
  '"__proto__"',
  '"constructor"',
  '"PARTNER"',
  '"BLACKLIST"',
  '"partner "',
  '"PEER"',
  '"12"',
  '"1e3"',
  '"NaN"',
  '"null"',
  '"{}"',
  '"e30="',
  '"=="',
  '"../../etc/passwd"',
  '"\\r\\nX: y"',
  '"%00%ff"',
  '"💥"',
  `"${"A".repeat(70)}"`,
  `"${"x".repeat(1_100)}"`,
  `"${"é".repeat(600)}"`,
  `"${" ".repeat(3_000)}y"`,
  '"12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"',
  '"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh"',
];

export const VALUES: readonly string[] = [
  "null",
  "true",
  "false",
  "[]",
  "{}",
  "[[]]",
  "[null]",
  '{"":0}',
  '{"__proto__":{"a":1}}',
  ...NUMBERS,
  ...TEXTS,
];

export const KEYS: readonly string[] = [
  "",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "0",
  "-1",
  "peer_id",
  "PeerID",
  "peerid",
  "ſeq",
  "İd",
  "\u0000",
  "name_",
];
