/** The releases of go-libp2p that the suite builds its partner with. Each has a go.mod in go-partner/. */
export const VERSIONS = [
  { name: "newest", goMod: "go.mod" },
  { name: "oldest", goMod: "oldest.mod" },
] as const;

export type VersionName = (typeof VERSIONS)[number]["name"];
