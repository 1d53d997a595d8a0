/**
 * `holdfast/test-page`: a page for development that drives the server it comes from, by hand. An entry of
 * its own, so that nobody who does not ask for it carries it.
 * @module
 */
import { markup } from "./markup.ts";

/**
 * Answers `GET <mount>/test`, as the option `testPage`. The page is the same for everybody and holds nothing, so
 * it is served without `authorize`; what it sends is judged like any client's.
 * @example
 * createMcpRouter({ host, testPage: isDevelopment ? testPage : undefined })
 */
export function testPage(): Response {
  const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "connect-src 'self'",
    // Of `data:`, for the empty icon that keeps browsers from asking for /favicon.ico.
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return new Response(markup(nonce), {
    headers: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy": policy.join("; "),
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
    },
  });
}
