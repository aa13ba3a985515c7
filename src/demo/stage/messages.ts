/** The messages that the participants' apps publish, as Go apps encode them. */
import type { RawMessage } from "../../events/decode.ts";
import { subjectFor } from "../../fixture/format/message.ts";

export const APP = "oc-api";
export const ECHOING_APP = "oc-discovery";
/** The user that the app names in its events. */
export const USER = "ada";

/** Truncated, as if the publisher had crashed. */
export const MALFORMED = '{"from_app":"oc-api","datatype":"PEER","payload":"eyJpZCI6';
export const MALFORMED_MESSAGE: RawMessage = { subject: subjectFor(false), bytes: Buffer.from(MALFORMED) };
