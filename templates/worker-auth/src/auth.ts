import { type OAuthResource, oauthResource } from "holdfast/auth";

/** What each token must be good for; tools can ask for more, where they are registered. */
const SCOPE = "count";

/** Who may call: whoever brings a JWT of the issuer's that is meant for this server. */
export function createAuth({ RESOURCE, ISSUER }: { RESOURCE: string; ISSUER: string }): OAuthResource {
  return oauthResource({
    resource: RESOURCE,
    issuer: ISSUER,
    requiredScopes: [SCOPE],
    // Why a token could not be judged, which its sender sees as 503: mostly that the issuer is out of reach.
    onError: (error) => console.error(String(error)),
  });
}
