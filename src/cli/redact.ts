/** `oc-partnerd redact [FIXTURE]`: the same fixture with nobody's name in it. */
import { lineNumbers, parseFixture } from "../fixture/parse.ts";
import { redactFixture } from "../fixture/redact.ts";
import { readFixtureText, writeFixture } from "./files.ts";

/** Throws file_failed, and fixture_invalid for what is no fixture or cannot be redacted; nothing is written then. */
export async function redact(file: string | undefined, out: string | undefined): Promise<void> {
  const { name, text } = await readFixtureText(file);
  const fixture = redactFixture(parseFixture(text, name), { name, numbers: lineNumbers(text) });
  await writeFixture(fixture, out);
}
