import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "sqlite",
  schema: ["./src/store/schema/log.ts", "./src/store/schema/archive.ts"],
  out: "./migrations",
});
