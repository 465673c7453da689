package entra

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// longestJWT bounds a token that somebody sends, in bytes.
const longestJWT = 16 << 10

// A tokenKey signs access tokens with ES256 and checks them. Real ones are
// RS256; no client may look, and an RSA key would cost each test a second.
type tokenKey struct {
	private *ecdsa.PrivateKey
	id      string

	mu    sync.Mutex
	known map[string]tokenClaims // tokens whose signature was right, which takes a while to find out
}

// mostKnown bounds the tokens that a key remembers.
const mostKnown = 4096

func newTokenKey() *tokenKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(fmt.Sprintf("entra: make a key: %v", err)) // crypto/rand never fails
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		panic(fmt.Sprintf("entra: encode a key: %v", err))
	}
	sum := sha256.Sum256(raw)
	return &tokenKey{private: key, id: hex.EncodeToString(sum[:8]), known: map[string]tokenClaims{}}
}

// sign reports a JWT with the claims.
func (k *tokenKey) sign(claims any) (string, error) {
	header, err := json.Marshal(map[string]string{"typ": "JWT", "alg": "ES256", "kid": k.id})
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature[:]), nil
}

// open reports what a token says that sign made, or why it is none.
func (k *tokenKey) open(token string) (tokenClaims, error) {
	k.mu.Lock()
	c, ok := k.known[token]
	k.mu.Unlock()
	if ok {
		return c, nil
	}
	t, err := parseJWT(token)
	if err != nil {
		return tokenClaims{}, err
	}
	digest := t.digest()
	if t.header.Alg != "ES256" || t.header.Kid != k.id || len(t.signature) != 64 {
		return tokenClaims{}, errors.New("not signed by this authority")
	}
	r, s := new(big.Int).SetBytes(t.signature[:32]), new(big.Int).SetBytes(t.signature[32:])
	if !ecdsa.Verify(&k.private.PublicKey, digest[:], r, s) {
		return tokenClaims{}, errors.New("the signature is wrong")
	}
	if err := json.Unmarshal(t.payload, &c); err != nil {
		return tokenClaims{}, errors.New("the claims are not JSON")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= mostKnown {
		clear(k.known)
	}
	k.known[token] = c
	return c, nil
}

// public reports the key as a JSON web key.
func (k *tokenKey) public() map[string]string {
	raw, err := k.private.PublicKey.Bytes() // 4, X, Y
	if err != nil {
		panic(fmt.Sprintf("entra: encode a key: %v", err))
	}
	return map[string]string{
		"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": k.id,
		"x": base64.RawURLEncoding.EncodeToString(raw[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(raw[33:]),
	}
}

// A jwt is a token taken apart, its signature not yet checked.
type jwt struct {
	header    jwtHeader
	payload   []byte
	signed    string // what the signature is over
	signature []byte
}

type jwtHeader struct {
	Alg     string `json:"alg"`
	Kid     string `json:"kid"`
	X5t     string `json:"x5t"`
	X5tS256 string `json:"x5t#S256"`
}

// parseJWT takes a token apart. Its errors never repeat a part of it.
func parseJWT(token string) (jwt, error) {
	if len(token) > longestJWT {
		return jwt{}, errors.New("the token is too long")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return jwt{}, errors.New("the token does not have three parts")
	}
	t := jwt{signed: parts[0] + "." + parts[1]}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(header, &t.header) != nil {
		return jwt{}, errors.New("the header is malformed")
	}
	if t.payload, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
		return jwt{}, errors.New("the claims are malformed")
	}
	if t.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return jwt{}, errors.New("the signature is malformed")
	}
	return t, nil
}

// digest reports the SHA-256 of what is signed.
func (t jwt) digest() [sha256.Size]byte { return sha256.Sum256([]byte(t.signed)) }

// sha is the hash of each algorithm that this package knows.
const sha = crypto.SHA256
