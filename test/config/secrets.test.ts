/** No secret of the configuration reaches the log. */
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { withoutSecrets } from "../../src/config/schema.ts";

function recorded(nats: object): { readonly url?: string; readonly text: string } {
  const config = loadConfig({ flags: {}, env: { OCPARTNERD_NATS_URL: "nats://default:4222" }, file: undefined });
  const plain = withoutSecrets({ ...config, nats: { ...config.nats, ...nats } });
  const { url } = plain["nats"] as { readonly url?: string };
  return { ...(url !== undefined && { url }), text: JSON.stringify(plain) };
}

describe("the configuration as the log records it", () => {
  test("hides a password and a token, and keeps everything else", () => {
    const { text } = recorded({
      user: "daemon",
      password: "s3cret-password",
      token: "s3cret-token",
      credsFile: "/etc/nats.creds",
    });
    expect(text).not.toContain("s3cret");
    const { nats, events } = JSON.parse(text) as { readonly nats: object; readonly events: object };
    expect(nats).toMatchObject({ user: "daemon", password: "***", token: "***", credsFile: "/etc/nats.creds" });
    expect(nats).toMatchObject({ url: "nats://default:4222", mode: "auto" });
    expect(events).toMatchObject({ peerDatatypes: expect.arrayContaining(["PEER"]) as unknown });
  });

  test.each([
    ["nats://127.0.0.1:4222", "nats://127.0.0.1:4222"],
    ["one:4222,two:4222", "one:4222,two:4222"],
    ["nats://daemon:s3cret@host:4222", "nats://***@host:4222"],
    ["nats://s3cret@host:4222", "nats://***@host:4222"],
    ["s3cret:s3cret@host:4222", "***@host:4222"],
    ["tls://daemon:s3c@s3cret@host:4222", "tls://***@host:4222"],
    ["nats://daemon:s3cret,/s3cret@host:4222", "nats://***@host:4222"],
    ["nats://daemon:s3cret/s3cret://s3cret@host:4222", "nats://***@host:4222"],
    ["nats://daemon:s3cret\ns3cret@host:4222", "nats://***@host:4222"],
    ["NATS://daemon:s3cret@host:4222", "NATS://***@host:4222"],
    ["nats://host:4222?auth_token=s3cret", "nats://host:4222?***"],
    ["nats://host:4222#s3cret", "nats://host:4222#***"],
    ["nats://daemon:s3c?ret@host:4222/?token=s3cret", "nats://***@host:4222/?***"],
    ["nats://daemon:s3cret@one:4222,nats://daemon:s3cret@two:4222", "nats://***@two:4222"],
  ])("of the NATS URL %j keeps %j", (url, kept) => {
    const { url: shown, text } = recorded({ url });
    expect(shown).toBe(kept);
    expect(text).not.toContain("s3c");
  });
});
