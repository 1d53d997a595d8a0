import type * as main from "./index.ts";

declare global {
  namespace Cloudflare {
    interface Env {
      MCP_SESSION: DurableObjectNamespace;
      MCP_HUB: DurableObjectNamespace;
      CALM: DurableObjectNamespace;
      BRIEF: DurableObjectNamespace;
      WATCHED: DurableObjectNamespace;
      ROOMY: DurableObjectNamespace;
      PINGING: DurableObjectNamespace;
    }
    interface GlobalProps {
      mainModule: typeof main;
    }
  }
}
