import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** An issuer on this machine, for development and tests: whoever asks is given a token. Never deploy it. */
export interface Issuer {
  url: string;
  /** A token that is good for an hour. */
  token(subject: string, audience: string): Promise<string>;
  close(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "dev", alg: "ES256", use: "sig" }] };
  const server = createServer((request, response) => {
    const documents: Record<string, object> = {
      "/.well-known/oauth-authorization-server": { issuer: url, jwks_uri: `${url}/jwks` },
      "/jwks": jwks,
    };
    const document = documents[request.url ?? ""];
    response.writeHead(document === undefined ? 404 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    token: (subject, audience) =>
      new SignJWT({ scope: "count" })
        .setProtectedHeader({ alg: "ES256", kid: "dev", typ: "at+jwt" })
        .setIssuer(url)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(privateKey),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
