/** A web site that is not the server's: one page, with the clients of `lab.ts`, under two names. @module */
import { build } from "esbuild";
import { serveHttp } from "../client/support/http-server.ts";
import { PAGE_DOMAIN } from "../support/browser.ts";

export interface Pages {
  /** The origin that the server is told to allow. */
  readonly allowed: string;
  /** The same site under a name that it is not told of. */
  readonly foreign: string;
  close(): Promise<void>;
}

const HTML = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/lab.js"></script>';

export async function servePages(): Promise<Pages> {
  const { outputFiles } = await build({
    entryPoints: [new URL("lab.ts", import.meta.url).pathname],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2024",
    write: false,
  });
  const script = outputFiles[0]?.text ?? "";
  const server = await serveHttp((request) =>
    new URL(request.url).pathname === "/lab.js"
      ? new Response(script, { headers: { "Content-Type": "text/javascript" } })
      : new Response(HTML, { headers: { "Content-Type": "text/html" } }),
  );
  const { port } = new URL(server.url);
  return {
    allowed: `http://app.${PAGE_DOMAIN}:${port}`,
    foreign: `http://evil.${PAGE_DOMAIN}:${port}`,
    close: server.stop,
  };
}
