/** Names the publisher of an event. */
import { OWN_SOURCE } from "../../store/model/log-entry.ts";

/** As in peer_history (migrations/0002_views.sql): a name that could be read as more than a name is quoted. */
export function publisherText(app: string | null, claimedUser: string | null): string {
  const name = app === OWN_SOURCE ? JSON.stringify(app) : app === null ? "-" : plainName(app);
  return claimedUser === null ? name : `${name} (claims user ${plainName(claimedUser)})`;
}

function plainName(name: string): string {
  return /^[0-9A-Za-z._@-]+$/.test(name) ? name : JSON.stringify(name);
}
