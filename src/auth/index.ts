/**
 * `holdfast/auth`: who may call an MCP server, by OAuth access tokens or API keys.
 * @module
 */
export { apiKey, type ApiKey, type ApiKeyOptions, type ApiKeyOwner, type FindApiKey } from "./api-key.ts";
export { introspection, type IntrospectionOptions } from "./introspection.ts";
export { jwt, type JwtOptions } from "./jwt.ts";
export {
  oauthResource,
  type OAuthAuthInfo,
  type OAuthResource,
  type OAuthResourceOptions,
} from "./resource.ts";
export type { AccessToken, TokenRefusal, Verifier, VerifierContext } from "./verifier.ts";
