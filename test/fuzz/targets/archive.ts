/** Archive files: an input that begins like gzip is the file itself; any other is its text, which is compressed first. */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { readArchiveHeader } from "../../../src/store/archive/file/archive-file.ts";
import {
  formatArchiveHeader,
  formatArchiveLine,
  parseArchiveHeader,
  parseArchiveLine,
} from "../../../src/store/archive/file/archive-format.ts";
import { readVerified } from "../../../src/store/archive/file/verify-archive.ts";
import { FROM_ZERO } from "../../../src/store/fold/replay.ts";
import { CHAIN_START, chainHash } from "../../../src/store/model/chain.ts";
import { storedSha256Of } from "../../../src/store/model/payload.ts";
import { scratchFile } from "../scratch.ts";
import { documented, promise, promiseSame, type Target } from "../target.ts";

/** The reader stops at the first invalid line; a thousand errors with their stacks say no more than one. */
const MOST_LINES = 500;

export const archiveLines: Target = {
  name: "archive-lines",
  what: "src/store/archive/file/archive-format.ts",
  isJson: true,
  run(input) {
    for (const text of Buffer.from(input).toString().split("\n", MOST_LINES)) {
      const header = parsed(() => parseArchiveHeader(text));
      if (header !== undefined)
        promiseSame(parseArchiveHeader(formatArchiveHeader(header)), header, "what is formatted is parsed");
      const line = parsed(() => parseArchiveLine(text));
      if (line !== undefined) promiseSame(parseArchiveLine(formatArchiveLine(line)), line, "what is formatted is parsed");
    }
  },
};

/** These parsers throw plain errors, which their caller gives a code and a place; only a fault is a finding. */
function parsed<Value>(parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof SyntaxError || (thrown instanceof Error && thrown.constructor === Error)) return undefined;
    throw thrown;
  }
}

export const archiveFile: Target = {
  name: "archive-file",
  what: "src/store/archive/file/",
  isJson: true,
  async run(input) {
    const isFile = input[0] === 0x1f && input[1] === 0x8b;
    await read(isFile ? input : gzipSync(input, { level: 1 }));
    // A wrong hash would hide everything behind it.
    if (!isFile) await read(gzipSync(chained(Buffer.from(input).toString()), { level: 1 }));
  },
};

async function read(file: Uint8Array): Promise<void> {
  const path = scratchFile("archive.jsonl.gz");
  writeFileSync(path, file);
  let rows = 0;
  const works = [() => readArchiveHeader(path), () => readVerified(path, FROM_ZERO, { row: () => rows++ })];
  for (const work of works) {
    await work().then(
      () => {},
      (thrown: unknown) => {
        const { code, message } = documented(thrown);
        // The file can be read, so only its content can be wrong.
        promise(code === "archive_invalid", "the code says that the content is wrong", [code, message]);
      },
    );
  }
}

/** `text` with all hashes, numbers and counts made right, as a forger would. */
function chained(text: string): string {
  const [header = "", ...lines] = text.split("\n");
  let [last, rows] = [CHAIN_START, 0];
  const fit = lines.map((line) => {
    const found = parsed(() => parseArchiveLine(line));
    if (found?.kind === "trailer") return JSON.stringify({ rows });
    if (found?.kind !== "row") return line;
    rows += 1;
    const row = { ...found.row, seq: rows };
    last = chainHash(last, { ...row, storedSha256: storedSha256Of(row.payload) });
    return formatArchiveLine({ ...found, row: { ...row, chainHash: last } });
  });
  const found = parsed(() => parseArchiveHeader(header));
  const first =
    found === undefined
      ? header
      : formatArchiveHeader({
          ...found,
          firstSeq: 1,
          lastSeq: Math.max(1, rows),
          followsChainHash: CHAIN_START,
          lastChainHash: last,
        });
  return [first, ...fit].join("\n");
}
