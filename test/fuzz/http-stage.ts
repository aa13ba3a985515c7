/** The real HTTP app over fixed views. */
import { createApp } from "../../src/http/app.ts";
import type { Views } from "../../src/views/views.ts";
import { FIXED_VIEWS } from "../support/fixed-views.ts";
import { Broken } from "./target.ts";

const views: Views = {
  ...FIXED_VIEWS,
  resync: () => true,
  readiness: () => [{ name: "nats", ok: false, message: "down" }],
};

/** An app that answers no request with an error of its own. */
export const app = createApp(views, {
  fault: (_part, thrown) => {
    throw new Broken(`the app failed: ${String(thrown)}`);
  },
  error: (fields) => {
    throw new Broken(`the app could not answer: ${JSON.stringify(fields)}`);
  },
});
