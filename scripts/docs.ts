/** `npm run docs`: writes the tables of docs/CONFIGURATION.md from the schema. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withSettings } from "./lib/settings-page.ts";

const PAGE = join(import.meta.dirname, "../docs/CONFIGURATION.md");

writeFileSync(PAGE, withSettings(readFileSync(PAGE, "utf8")));
