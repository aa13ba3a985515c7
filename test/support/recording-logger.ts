/** A logger that records its lines. */
import { type FaultPart, faultFields, type Logger } from "../../src/base/log.ts";

interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

export class RecordingLogger implements Logger {
  readonly lines: LogLine[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: "debug", fields, message });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }

  fault(part: FaultPart, thrown: unknown, fields?: object): void {
    this.error(faultFields(part, thrown, fields), "internal error");
  }

  at(level: LogLine["level"]): readonly LogLine[] {
    return this.lines.filter((line) => line.level === level);
  }
}
