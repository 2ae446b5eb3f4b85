"""Signs people in at the company's identity provider: OpenID Connect, authorization code with
PKCE."""
