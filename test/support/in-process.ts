/** Requests to a router in this process, which answers with JSON. @module */
import type { LocalMcp } from "../../src/local/index.ts";

/** POSTs a message, to the session of this id where one is given. */
export function poster({
  router,
}: Pick<LocalMcp, "router">): (message: unknown, id?: string) => Promise<Response> {
  return async (message, id) =>
    router.request("http://localhost/mcp", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        Accept: "application/json",
        ...(id !== undefined && { "Mcp-Session-Id": id }),
      },
      body: JSON.stringify(message),
    });
}
