/** What the participants' apps publish, in the shape that Go apps use. */
import type { RawMessage } from "../../events/decode.ts";
import { subjectFor } from "../../fixture/format/message.ts";

export const APP = "oc-api";
export const ECHOING_APP = "oc-discovery";

/** Cut off in the middle, as a publisher that crashed would leave it. */
export const MALFORMED = '{"from_app":"oc-api","datatype":"PEER","payload":"eyJpZCI6';
export const MALFORMED_MESSAGE: RawMessage = { subject: subjectFor(false), bytes: Buffer.from(MALFORMED) };
