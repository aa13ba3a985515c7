/** The releases of go-libp2p that the suite builds its partner with. Each has a go.mod in go-partner/. */
const ALL = [
  { name: "newest", goMod: "go.mod" },
  { name: "oldest", goMod: "oldest.mod" },
] as const;

export type VersionName = (typeof ALL)[number]["name"];

/** Those that this run uses: all of them, or the names in INTEROP_VERSIONS, separated by commas. */
export const VERSIONS = ALL.filter(({ name }) => (process.env["INTEROP_VERSIONS"] ?? "newest,oldest").split(",").includes(name));
