// oidc-provider, a certified OpenID provider that others wrote, as strict as it can be: PKCE is required, codes work once,
// claims are kept out of the ID token. Words: the package's main file, port, redirect URI, JSON of the person's claims.
const [main, port, redirectUri, claims] = process.argv.slice(2);
const { default: Provider } = await import(main);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "reseller", client_secret: "a-secret-of-the-client", redirect_uris: [redirectUri] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...JSON.parse(claims) }) }),
  pkce: { required: () => true },
  cookies: { keys: ["only for tests"] },
});
provider.listen(Number(port), "127.0.0.1");
