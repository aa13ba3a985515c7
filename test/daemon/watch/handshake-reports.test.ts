/** How often a failing handshake is told. */
import { expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { HandshakeReports } from "../../../src/daemon/watch/handshake-reports.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

it("each is counted, and each network is told once a minute, with the number in between", () => {
  const [clock, logger] = [new VirtualClock(), new RecordingLogger()];
  const reasons: string[] = [];
  const metrics = { handshakesFailed: { inc: ({ reason }: { reason: string }) => void reasons.push(reason) } };
  const { failed } = new HandshakeReports({ clock, logger, metrics });
  const error = new PartnerdError("psk_mismatch", "another key", { nextStep: "compare p2p.pskFile" });
  const told = { reason: "psk_mismatch", error: "another key", nextStep: "compare p2p.pskFile", more: 0 };
  const message = "a connection to us failed in its handshake";
  for (let time = 0; time < 3; time++) failed(error, "2001:db8::1");
  failed(error, "192.0.2.9");
  clock.advanceSync(59_999);
  failed(error, "2001:db8::2");
  const lines = [
    { level: "warn", message, fields: { ...told, address: "2001:db8::1" } },
    { level: "warn", message, fields: { ...told, address: "192.0.2.9" } },
  ];
  expect(logger.lines).toEqual(lines);
  clock.advanceSync(1);
  failed(error, "2001:db8::3");
  clock.advanceSync(59_999);
  failed(error, "2001:db8::3");
  clock.advanceSync(1);
  failed(error, "2001:db8::3");
  expect(logger.lines.slice(2)).toEqual([
    { level: "warn", message, fields: { ...told, address: "2001:db8::3", more: 3 } },
    { level: "warn", message, fields: { ...told, address: "2001:db8::3", more: 1 } },
  ]);
  expect(reasons).toEqual(Array.from({ length: 8 }, () => "psk_mismatch"));
});
