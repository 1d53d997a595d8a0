/**
 * Sign-in at an authorization server that issues JWTs: Auth0, WorkOS AuthKit, Entra ID, Keycloak, Okta, …
 *
 * What differs between them is `issuer`, and for some `audience`: see docs/auth.md.
 * @module
 */
import { jwt, oauthResource, type OAuthResource } from "../../../src/auth/index.ts";
import { READ, WRITE } from "../server.ts";

export interface Settings {
  /** The URL of the MCP endpoint, as clients write it. */
  RESOURCE: string;
  /** The issuer, as the `iss` of its tokens has it. */
  ISSUER: string;
  /** What the issuer puts into `aud`, where that is not RESOURCE. */
  AUDIENCE?: string | undefined;
}

export function createAuth({ RESOURCE, ISSUER, AUDIENCE }: Settings): OAuthResource {
  return oauthResource({
    name: "Notes",
    resource: RESOURCE,
    issuer: ISSUER,
    verify: jwt({ issuer: ISSUER, ...(AUDIENCE !== undefined && { audience: AUDIENCE }) }),
    requiredScopes: [READ],
    scopesSupported: [READ, WRITE],
    onError: (error) => console.error(String(error)),
  });
}
