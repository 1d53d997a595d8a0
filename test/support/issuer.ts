/** An issuer of access tokens on loopback: its metadata, its keys, and tokens of every kind, good and bad. @module */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from "jose";

export interface Issuer {
  readonly url: string;
  /** What was asked of it, by path. */
  readonly asked: string[];
  /** The `Authorization` headers that came with it. */
  readonly credentials: (string | undefined)[];
  /** While true it answers everything with 500. */
  isDown: boolean;
  /** The key set as it is served. */
  readonly jwks: { keys: JWK[] };
  /** Adds a key; tokens are signed with the newest. */
  rotate(alg?: string): Promise<string>;
  /** A good token for the audience; claims and header add to and replace the usual ones, undefined removes. */
  token(audience: string, claims?: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** Answers introspection with this, by token. */
  readonly introspected: Map<string, Record<string, unknown>>;
  close(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  const asked: string[] = [];
  const credentials: (string | undefined)[] = [];
  const jwks: { keys: JWK[] } = { keys: [] };
  const introspected = new Map<string, Record<string, unknown>>();
  let signing: { key: CryptoKey; kid: string; alg: string } | undefined;

  const answers: Record<string, (body: string) => unknown> = {
    "/.well-known/oauth-authorization-server": () => ({
      issuer: issuer.url,
      jwks_uri: `${issuer.url}/jwks`,
      authorization_endpoint: `${issuer.url}/authorize`,
      token_endpoint: `${issuer.url}/token`,
      response_types_supported: ["code"],
    }),
    "/jwks": () => jwks,
    "/introspect": (body) =>
      introspected.get(new URLSearchParams(body).get("token") ?? "") ?? { active: false },
  };
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const path = request.url ?? "";
      asked.push(path);
      credentials.push(request.headers.authorization);
      const answer = answers[path];
      const status = issuer.isDown ? 500 : answer === undefined ? 404 : 200;
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(status === 200 ? answer?.(body) : {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    credentials,
    isDown: false,
    jwks,
    introspected,
    async rotate(alg = "ES256") {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
      const kid = crypto.randomUUID();
      jwks.keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: "sig" });
      signing = { key: privateKey, kid, alg };
      return kid;
    },
    async token(audience, claims = {}, header = {}) {
      if (signing === undefined) throw new Error("the issuer has no key");
      const now = Math.floor(Date.now() / 1000);
      const usual = {
        iss: issuer.url,
        aud: audience,
        sub: "ada",
        client_id: "app",
        iat: now,
        exp: now + 300,
      };
      const { kid, alg, key } = signing;
      return new SignJWT(
        JSON.parse(JSON.stringify({ ...usual, scope: "notes:read", ...claims })) as JWTPayload,
      )
        .setProtectedHeader({ alg, kid, typ: "at+jwt", ...header })
        .sign(key);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  await issuer.rotate();
  return issuer;
}
