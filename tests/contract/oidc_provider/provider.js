// A company's identity provider: oidc-provider with one program, whose access tokens are JWT for the API that it asks for.
// Usage: node provider.js PORT FILE, where FILE is one with its private keys (JWKS), the first of which signs.
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const [port, file] = process.argv.slice(2);
const jwks = JSON.parse(readFileSync(file, "utf8"));
const alg = jwks.keys[0].alg;
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  jwks,
  clients: ["crm", "bound"].map((name) => ({
    client_id: name,
    client_secret: "a-secret-of-the-tests-of-32-letters",
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: alg,
    tls_client_certificate_bound_access_tokens: name === "bound",
  })),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => ctx.get("client-certificate") && decodeURIComponent(ctx.get("client-certificate")),
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: "calls:read payments:take",
        audience: resource,
        accessTokenTTL: 300,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg } },
      }),
    },
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log(issuer));
