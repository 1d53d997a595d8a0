/**
 * `holdfast/console`: a page that drives the server it comes from, shows the life of its session, and, for operators,
 * all sessions. An entry of its own, so that nobody who does not ask for it carries it.
 * @module
 */
import { checkGiven, STRING } from "../setup.ts";
import { markup } from "./markup.ts";

/** How the console is served. */
export interface ConsoleOptions {
  /**
   * A path of the same origin that starts the server anew on `POST` with the header `X-Holdfast-Console`, for a
   * development server that has one. Without it there is no such button.
   */
  restart?: string;
}

/**
 * Answers `GET <mount>/test`, as the option `console`. The page is the same for everybody and holds nothing, so it is
 * served without `authorize`; what it sends is judged like any client's.
 * @example
 * createMcpRouter({ host, console: isDevelopment ? consolePage() : undefined })
 */
export function consolePage(options: ConsoleOptions = {}): () => Response {
  checkGiven("consolePage", options, { restart: STRING });
  return () => {
    const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
    return new Response(markup(nonce, options.restart), {
      headers: {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policyFor(nonce),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
      },
    });
  };
}

function policyFor(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    // Of `data:` alone: what tools return as pictures and sounds, and the empty icon that keeps browsers from asking for one.
    "img-src data:",
    "media-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // No text of a server's can become HTML or a script, whatever mistake the page makes.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}
