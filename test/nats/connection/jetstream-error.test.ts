import { describe, expect, test } from "vitest";
import { NatsError } from "../../../src/nats/connection/client.ts";
import { askJetStream } from "../../../src/nats/connection/jetstream-error.ts";
import { matching } from "../../support/matchers.ts";

/** The error of a request that JetStream answers with `code` and `errCode`; without an `errCode`, nothing answers. */
const errorOf = (code: number, errCode?: number, description = "described") =>
  askJetStream("ask", () => {
    const error = new NatsError(description, String(code));
    if (errCode !== undefined) error.api_error = { code, err_code: errCode, description };
    throw error;
  }).catch((error: unknown) => error);

describe("the error of a JetStream request", () => {
  test.each([
    [503, 10_008],
    [500, 10_009],
    [503, 10_004],
    [500, 10_118],
    [500, 10_119],
  ])("%i with err_code %i says that servers of the cluster are missing", async (code, errCode) => {
    expect(await errorOf(code, errCode)).toMatchObject({
      code: "jetstream_leaderless",
      message: "cannot ask: JetStream has no leader for it (described)",
      nextStep: matching(/^start the missing servers of the NATS cluster/),
      details: { jetStreamCode: errCode },
    });
  });

  test.each([[10_039], [10_076], [undefined]])("503 with err_code %s says that JetStream is not enabled", async (errCode) => {
    expect(await errorOf(503, errCode)).toMatchObject({ code: "jetstream_unavailable", nextStep: matching(/enable it/) });
  });

  test("503 for another reason keeps JetStream's reason", async () => {
    expect(await errorOf(503, 10_023, "insufficient resources")).toMatchObject({
      code: "jetstream_refused",
      message: "cannot ask: JetStream refused: insufficient resources",
      nextStep: matching(/more room/),
    });
  });

  test.each([
    [400, 10_002, /account's limits/],
    [400, 10_026, /account's limit on the server/],
    [400, 10_027, /account's limit on the server/],
  ])("%i with err_code %i leads to the account's limits", async (code, errCode, nextStep) => {
    expect(await errorOf(code, errCode)).toMatchObject({ code: "jetstream_refused", nextStep: matching(nextStep) });
  });
});
