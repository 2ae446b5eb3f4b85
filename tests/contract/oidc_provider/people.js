// A company's identity provider with people: whoever types a name is in the groups that FILE gives it, without a password.
// Usage: node people.js PORT FILE, where FILE has clients, people (their claims, by name) and private keys (JWKS).
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";

const [port, file] = process.argv.slice(2);
const { clients, people, jwks, more } = JSON.parse(readFileSync(file, "utf8"));
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks,
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true }, backchannelLogout: { enabled: true } },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, Interaction: 600, Session: 600, Grant: 600 },
  // Its own refuses loopback, where we are.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  ...more,
});
provider.on("backchannel.error", (_, error) => console.error(`${error} ${error.cause}`));
provider.listen(Number(port), "127.0.0.1");
