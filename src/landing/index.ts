/**
 * `holdfast/landing`: what a person sees who opens the server's URL in a browser: what it is, and how to connect to
 * it. An entry of its own, so that nobody who does not ask for it carries it.
 * @module
 */
import type { Landing, LandingFacts } from "../routes/landing.ts";
import { checkGiven, STRING } from "../setup.ts";
import { markup } from "./markup.ts";

export type { Landing, LandingFacts } from "../routes/landing.ts";

/** What the page says besides what the router knows. */
export interface LandingOptions {
  /** One sentence on what the server is for. */
  description?: string;
}

/**
 * Answers browsers at `/mcp` and at the mount itself, as the option `landing`. The page holds nothing but the server's
 * name, version, URL and protocol versions, so it is served without `authorize`; it loads nothing and runs no script.
 * @example
 * createMcpWorker<Env>({ namespace, createServer, landing: landingPage() })
 */
export function landingPage(options: LandingOptions = {}): Landing {
  checkGiven("landingPage", options, { description: STRING });
  const { description } = options;
  return (facts: LandingFacts) => {
    const nonce = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(18))));
    return new Response(markup(facts, { nonce, description }), {
      headers: {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policyFor(nonce),
        "Cache-Control": "no-store",
        Vary: "Accept",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
      },
    });
  };
}

function policyFor(nonce: string): string {
  return [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    // The empty icon, which keeps browsers from asking for one.
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
