/** The console's page: its style and its script within it, under one nonce. @module */
import { SCRIPT, STYLE } from "./assets.ts";

/** @param restart the path that starts the server anew, where there is one */
export function markup(nonce: string, restart: string | undefined): string {
  const data = restart === undefined ? "" : ` data-restart="${escaped(restart)}"`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast console</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${STYLE}</style>
<div id="app"${data}></div>
<script type="module" nonce="${nonce}">${SCRIPT}</script>
</html>
`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
