/**
 * One line more after an error: what may be meant where a connection could not be made, for the mistakes that people
 * make, and the way back to a task that goes on.
 * @module
 */
import { TaskLeft } from "./cli-task.ts";
import { ConnectError, type ConnectFailure } from "./connect-error.ts";

/** The end of the path under which most servers answer, ours among them. */
const USUAL_PATH = "/mcp";
/** What stands beside it, below the same mount. */
const BESIDE = /\/(?:sse|messages?|info|health|test)$/;

/** Failures of a server that has answered. */
const SPOKEN: ReadonlySet<ConnectFailure> = new Set(["http", "content-type", "protocol"]);

/**
 * A hint to the user, to be put after the error; undefined where nothing is likely.
 * @param wantsTasks whether the connection was to be one with tasks
 */
export function hintFor(error: unknown, wantsTasks: boolean): string | undefined {
  if (error instanceof TaskLeft) return error.resume;
  if (!(error instanceof ConnectError)) return undefined;
  const { reason, status, message } = error;
  const url = new URL(error.url);
  if (reason === "network" && message.includes("no TLS on this port"))
    return `Is it ${error.url.replace(/^https:/, "http:")}?`;
  if (reason === "unauthorized" && status === 401)
    return 'Credentials are sent by --header "Authorization: Bearer <token>".';
  const isElsewhere = status === 404 || status === 405 || reason === "content-type";
  if (isElsewhere && !url.pathname.endsWith(USUAL_PATH)) {
    const below = url.pathname.replace(/\/+$/, "").replace(BESIDE, "") + USUAL_PATH;
    const places = [...new Set([below, USUAL_PATH])].map((path) => new URL(path, url).href);
    return `Is it ${places.join(", or ")}?`;
  }
  return wantsTasks && SPOKEN.has(reason)
    ? "Tasks are of the revision 2026-07-28: does the server speak it?"
    : undefined;
}
