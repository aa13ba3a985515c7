/** What the participants' apps publish, in the shape that Go apps use. */
import { messageOf } from "../cli/daemon/publish.ts";
import { DEFAULT_VOCABULARY } from "../events/vocabulary.ts";

export interface Published {
  readonly subject: string;
  readonly text: string;
}

interface PeerMessage {
  readonly name: string;
  readonly address: string;
  readonly relation: string;
  readonly fromApp?: string;
}

const APP = "oc-api";
export const ECHOING_APP = "oc-discovery";

/** A CREATE_RESOURCE of a peer record, as the app next to the daemon publishes it. */
export function peerMessage({ name, address, relation, fromApp = APP }: PeerMessage): Published {
  return messageOf({ peer: address, name, relation, fromApp, id: undefined, remove: false, subjects: DEFAULT_VOCABULARY });
}

/** Cut off in the middle, as a publisher that crashed would leave it. */
export const MALFORMED: Published = {
  subject: DEFAULT_VOCABULARY.createSubjects[0] ?? "CREATE_RESOURCE",
  text: '{"from_app":"oc-api","datatype":"PEER","payload":"eyJpZCI6',
};
