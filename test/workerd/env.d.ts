declare namespace Cloudflare {
  interface Env {
    MCP_SESSION: DurableObjectNamespace;
    MCP_HUB: DurableObjectNamespace;
    CALM: DurableObjectNamespace;
    BRIEF: DurableObjectNamespace;
    WATCHED: DurableObjectNamespace;
    PINGING: DurableObjectNamespace;
  }
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}
