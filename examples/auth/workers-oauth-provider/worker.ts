/**
 * A Worker that is its own authorization server, with `@cloudflare/workers-oauth-provider` in front of the
 * router; its users sign in at GitHub, or whoever else is upstream.
 *
 * The provider judges the token and publishes the metadata. What is left for `authorize` is to pass on what
 * it found: `ctx.props` is what sign-in stored, `ctx.auth` what the token is good for.
 * @module
 */
import { env } from "cloudflare:workers";
import {
  insufficientScope,
  OAuthProvider,
  type OAuthResourceContext,
} from "@cloudflare/workers-oauth-provider";
import { modernHandler } from "../../../src/modern/index.ts";
import { type Authorization, createMcpWorker } from "../../../worker/cloudflare.ts";
import { createServer, READ, WRITE } from "../server.ts";
import { type Props, signIn, type SignInEnv } from "./sign-in.ts";

interface Env extends SignInEnv {
  MCP_SESSION: DurableObjectNamespace;
  /** The origin that clients see. */
  ORIGIN: string;
}

const { ORIGIN } = env as unknown as Env;
const resource = `${ORIGIN}/mcp`;
const resourceMetadataUrl = `${ORIGIN}/.well-known/oauth-protected-resource/mcp`;

const mcp = createMcpWorker<Env>({
  createServer,
  namespace: (bindings) => bindings.MCP_SESSION,
  modern: modernHandler({ createServer }),
  authorize(_request, c): Authorization | Response {
    const { props, auth } = c.executionCtx as unknown as OAuthResourceContext<Props>;
    // Required scopes are announced by the provider, and left to its resource to insist on.
    if (!auth.scope.includes(READ)) return insufficientScope(auth, [READ]);
    const { token, clientId = "", scope: scopes, expiresAt } = auth;
    return {
      principal: props.userId,
      authInfo: {
        token,
        clientId,
        scopes,
        expiresAt,
        resource: new URL(resource),
        resourceMetadataUrl,
        // Tools call the upstream with it; it is never stored.
        extra: { upstreamToken: props.upstreamToken },
      },
    };
  },
});
export const { McpSession, McpHub } = mcp;

export default new OAuthProvider<Env>({
  apiRoute: "/mcp",
  apiHandler: { fetch: (request, bindings, ctx) => mcp.router.fetch(request, bindings, ctx) },
  defaultHandler: { fetch: (request, bindings, ctx) => signIn.fetch(request, bindings, ctx) },
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/oauth/token",
  clientRegistrationEndpoint: "/oauth/register",
  scopesSupported: [READ, WRITE, "offline_access"],
  requiredScopes: [READ],
  resourceMetadata: { resource, authorization_servers: [ORIGIN], resource_name: "Notes" },
});
