package entra

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// assertionSkew is how far the clock of a client may be off. Microsoft allows
// 5 to 10 minutes.
const assertionSkew = 5 * time.Minute

// An assertion is what a client says of itself, signed with its certificate
// instead of showing a secret (RFC 7523).
type assertion struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	ID        string   `json:"jti"`
	NotBefore *numDate `json:"nbf"`
	Expires   *numDate `json:"exp"`
}

// A numDate is a time in seconds since 1970.
type numDate float64

func (d numDate) time() time.Time { return time.Unix(int64(d), 0).UTC() }

// checkAssertion reports why the text is no proof that the client of the ID is
// asking one of the audiences for a token now; nil if it is. Which certificates
// the client has decides, not what the text brings along.
func checkAssertion(text, client string, audiences []string, certs []*x509.Certificate, now time.Time) *tokenError {
	t, err := parseJWT(text)
	if err != nil {
		return refuseToken(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
	}
	cert := certificateOf(t.header, certs)
	if cert == nil {
		return refuseToken(401, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '%s'.]", client)
	}
	if !signedBy(t, cert) {
		return refuseToken(401, "invalid_client", 700027, "Client assertion failed signature validation. [Reason - The signature does not match the certificate of app Id '%s'.]", client)
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return refuseToken(401, "invalid_client", 1000502, "The provided certificate is not within its specified validity period.")
	}
	var a assertion
	if json.Unmarshal(t.payload, &a) != nil {
		return refuseToken(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
	}
	return a.check(client, audiences, now)
}

// check reports why the claims do not speak for client, here and now.
func (a assertion) check(client string, audiences []string, now time.Time) *tokenError {
	switch {
	case !slices.Contains(audiences, a.Audience):
		return refuseToken(401, "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .")
	case a.Issuer != client || a.Subject != client:
		return refuseToken(401, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .")
	case a.ID == "" || a.NotBefore == nil || a.Expires == nil:
		return refuseToken(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
	}
	from, until := a.NotBefore.time(), a.Expires.time()
	if now.Before(from.Add(-assertionSkew)) || now.After(until.Add(assertionSkew)) {
		const layout = "2006-01-02T15:04:05.0000000Z"
		return refuseToken(401, "invalid_client", 700024, "Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
			now.UTC().Format(layout), from.Format(layout), until.Format(layout))
	}
	return nil
}

// certificateOf reports the one of certs that the header names by its
// thumbprint, or nil.
func certificateOf(h jwtHeader, certs []*x509.Certificate) *x509.Certificate {
	s256, s1 := thumbprint(h.X5tS256), thumbprint(h.X5t)
	for _, c := range certs {
		long, short := sha256.Sum256(c.Raw), sha1.Sum(c.Raw)
		if bytes.Equal(s256, long[:]) || len(s256) == 0 && bytes.Equal(s1, short[:]) {
			return c
		}
	}
	return nil
}

// thumbprint decodes what some clients write with padding and the standard
// alphabet (Microsoft's own library for Go does), and others as the RFC says.
func thumbprint(s string) []byte {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return raw
}

// signedBy reports whether the key of cert signed t, with RS256 or PS256.
func signedBy(t jwt, cert *x509.Certificate) bool {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return false
	}
	digest := t.digest()
	switch t.header.Alg {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, sha, digest[:], t.signature) == nil
	case "PS256":
		return rsa.VerifyPSS(key, sha, digest[:], t.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto, Hash: sha}) == nil
	}
	return false
}

// A tokenError is a refusal of the token endpoint.
type tokenError struct {
	status int
	kind   string // as OAuth names it
	code   int    // the number after AADSTS
	text   string // without the AADSTS part; never a secret
}

func refuseToken(status int, kind string, code int, format string, args ...any) *tokenError {
	return &tokenError{status: status, kind: kind, code: code, text: fmt.Sprintf(format, args...)}
}
