/** `node read-archive.ts FILE`: reads an archive file and prints by how many bytes that raised the peak memory, and the error. */
import { readArchiveFile } from "../../../src/store/archive/file/archive-file.ts";

const path = process.argv[2] ?? "";
const peakBytes = () => process.resourceUsage().maxRSS * 1_024;

const before = peakBytes();
try {
  await readArchiveFile(path, { header() {}, row() {} });
  process.stdout.write(JSON.stringify({ grownBytes: peakBytes() - before, error: null }));
} catch (thrown) {
  const { code, message } = thrown as { code: string; message: string };
  process.stdout.write(JSON.stringify({ grownBytes: peakBytes() - before, error: { code, message } }));
}
