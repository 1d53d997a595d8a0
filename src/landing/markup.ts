/** The landing page as HTML: everything that is put into it is text. @module */
import type { LandingFacts } from "../routes/landing.ts";

/** What else goes into the page. */
export interface Frame {
  readonly nonce: string;
  readonly description: string | undefined;
}

/** The whole document. */
export function markup(facts: LandingFacts, { nonce, description }: Frame): string {
  const { name, version, url, protocolVersions, consoleUrl } = facts;
  const title = escaped(name);
  const ways = waysTo(facts).map(
    ([client, how, text]) => `<section><h2>${client}</h2><p>${how}</p><pre>${escaped(text)}</pre></section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title} – MCP server</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<main>
<h1>${title} <small>${escaped(version)}</small></h1>
${description === undefined ? "" : `<p>${escaped(description)}</p>`}
<p>This is a server for the <a href="https://modelcontextprotocol.io">Model Context Protocol</a>: programs connect to it,
and people through them. Its URL:</p>
<pre class="url">${escaped(url)}</pre>
<p>It speaks ${protocolVersions.map(escaped).join(", ")}.</p>
${consoleUrl === undefined ? "" : `<p><a href="${escaped(consoleUrl)}">Try it by hand in the console</a></p>`}
${ways.join("\n")}
</main>
</body>
</html>
`;
}

/** How to connect each client: its name, what to do (as HTML), and what to copy. */
function waysTo({ name, url }: LandingFacts): [client: string, how: string, text: string][] {
  // What shells and configurations take without quotes.
  const short =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "") || "mcp";
  const settings = (member: string, server: object): string =>
    JSON.stringify({ [member]: { [short]: server } }, undefined, 2);
  return [
    ["Claude", "On claude.ai and in Claude Desktop: Settings, Connectors, Add custom connector.", url],
    ["Claude Code", "In a terminal:", `claude mcp add --transport http ${short} '${url}'`],
    ["Cursor", "In <code>~/.cursor/mcp.json</code>:", settings("mcpServers", { url })],
    ["VS Code", "In <code>.vscode/mcp.json</code>:", settings("servers", { type: "http", url })],
    [
      "MCP Inspector",
      "In a terminal; then choose “Streamable HTTP” and give it the URL above:",
      "npx @modelcontextprotocol/inspector",
    ],
    ["The command line", "Says what was negotiated and lists the tools:", `npx holdfast connect '${url}'`],
  ];
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:2rem 1rem;color:CanvasText;background:Canvas}
main{max-width:44rem;margin:0 auto}
h1{font-size:1.75rem;margin:0 0 1rem;overflow-wrap:anywhere}
h1 small{font-size:1rem;font-weight:400;opacity:.75}
h2{font-size:1rem;margin:2rem 0 .25rem}
p{margin:.25rem 0 .5rem}
pre{margin:0;padding:.75rem 1rem;overflow-x:auto;border:1px solid color-mix(in srgb,CanvasText 25%,Canvas);border-radius:.5rem;background:color-mix(in srgb,CanvasText 6%,Canvas);font:.875rem/1.5 ui-monospace,monospace;user-select:all}
.url{font-size:1rem}`;
