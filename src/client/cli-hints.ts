/**
 * What may be meant where a connection could not be made: one line more, for the mistakes that people make.
 * @module
 */
import { ConnectError } from "./connect-error.ts";

/** The path under which most servers answer, ours among them. */
const USUAL_PATH = "/mcp";

/** A question to the user, to be put after the error; undefined where nothing is likely. */
export function hintFor(error: unknown): string | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const { reason, status, message } = error;
  const url = new URL(error.url);
  if (reason === "network" && message.includes("no TLS on this port"))
    return `Is it ${error.url.replace(/^https:/, "http:")}?`;
  if (reason === "unauthorized" && status === 401)
    return 'Credentials are sent by --header "Authorization: Bearer <token>".';
  const isElsewhere = status === 404 || status === 405 || reason === "content-type";
  if (!isElsewhere || url.pathname.endsWith(USUAL_PATH)) return undefined;
  return `Is it ${new URL(USUAL_PATH, url).href}?`;
}
