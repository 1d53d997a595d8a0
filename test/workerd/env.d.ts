declare namespace Cloudflare {
  interface Env {
    CALM: DurableObjectNamespace;
    WATCHED: DurableObjectNamespace;
  }
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}
