/** The test page without its script's text. @module */
import { SCRIPT } from "./script.ts";

const STYLE = `
  :root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.3rem; }
  button, input { font: inherit; margin: 0 0.25rem 0.5rem 0; padding: 0.2rem 0.7rem; }
  output { font-weight: 600; }
  #log { border: 1px solid #8886; border-radius: 4px; height: 60vh; overflow: auto; margin: 0.5rem 0; padding: 0.5rem;
    list-style: none; font: 13px/1.45 ui-monospace, monospace; }
  #log li { border-left: 4px solid var(--kind); padding-left: 0.6rem; margin-bottom: 0.3rem; white-space: pre-wrap;
    overflow-wrap: anywhere; }
  #log b { color: var(--kind); }
  .status { --kind: #777; }
  .sent { --kind: #2563eb; }
  .response { --kind: #15803d; }
  .notification { --kind: #a21caf; }
  .request { --kind: #b45309; }
  .event { --kind: #0e7490; }
  .comment { --kind: #999; }
  .error { --kind: #dc2626; }
`;

/** The page, its style and its script under this nonce. */
export function markup(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MCP test page</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${STYLE}</style>
<h1>MCP test page</h1>
<p>Streamable HTTP 2025-11-25 at <code id="endpoint"></code>. For development only.</p>
<p><label>Authorization <input id="authorization" size="40" autocomplete="off" placeholder="none"></label></p>
<p>
<button type="button" id="connect">Connect</button>
<button type="button" id="disconnect" disabled>Disconnect</button>
<button type="button" id="ping" disabled>Send Ping</button>
<button type="button" id="tools" disabled>Get Tools List</button>
<button type="button" id="clear">Clear Log</button>
</p>
<p>Status: <output id="status">Disconnected</output></p>
<ol id="log" role="log" aria-label="Log"></ol>
<script type="module" nonce="${nonce}">${SCRIPT}</script>
</html>
`;
}
