package aws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // RS256, ES256
	_ "crypto/sha512" // the longer ones
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// A jws is a signed token, not yet verified.
type jws struct {
	alg, kid string
	payload  []byte
	signed   string
	mac      []byte
}

// A keySet is what an issuer publishes.
type keySet struct {
	Keys []struct {
		Kty string `json:"kty"`
		Use string `json:"use"`
		Kid string `json:"kid"`
		Alg string `json:"alg"`
		N   string `json:"n"`
		E   string `json:"e"`
		Crv string `json:"crv"`
		X   string `json:"x"`
		Y   string `json:"y"`
	} `json:"keys"`
}

func readJWS(token string) (jws, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return jws{}, errors.New("aws: a token has three parts")
	}
	var raw [3][]byte
	for i, p := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return jws{}, err
		}
	}
	var head struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
	}
	err := json.NewDecoder(bytes.NewReader(raw[0])).Decode(&head)
	return jws{alg: head.Alg, kid: head.Kid, payload: raw[1], signed: parts[0] + "." + parts[1], mac: raw[2]}, err
}

// verified reports whether one of the keys made the signature, with an algorithm that AWS takes.
func (j jws) verified(keys keySet) bool {
	hash, ok := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[strings.TrimLeft(j.alg, "RSE")]
	if !ok {
		return false
	}
	h := hash.New()
	h.Write([]byte(j.signed))
	sum := h.Sum(nil)
	for _, k := range keys.Keys {
		if k.Kid != j.kid || k.Use != "" && k.Use != "sig" || k.Alg != "" && k.Alg != j.alg {
			continue
		}
		switch {
		case k.Kty == "RSA" && strings.HasPrefix(j.alg, "RS"):
			key := &rsa.PublicKey{N: bigOf(k.N), E: int(bigOf(k.E).Int64())}
			if key.N.BitLen() >= 2048 && rsa.VerifyPKCS1v15(key, hash, sum, j.mac) == nil {
				return true
			}
		case k.Kty == "EC" && strings.HasPrefix(j.alg, "ES"):
			if verifyEC(k.Crv, bigOf(k.X), bigOf(k.Y), j.alg, sum, j.mac) {
				return true
			}
		}
	}
	return false
}

// verifyEC checks a signature of two numbers side by side, on the curve that goes with the algorithm.
func verifyEC(crv string, x, y *big.Int, alg string, sum, mac []byte) bool {
	curve, ok := map[string]elliptic.Curve{"ES256P-256": elliptic.P256(), "ES384P-384": elliptic.P384(), "ES512P-521": elliptic.P521()}[alg+crv]
	if !ok {
		return false
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(mac) != 2*size || x.BitLen() > 8*size || y.BitLen() > 8*size {
		return false
	}
	point := make([]byte, 1+2*size)
	point[0] = 4
	x.FillBytes(point[1 : 1+size])
	y.FillBytes(point[1+size:])
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(mac[:size]), new(big.Int).SetBytes(mac[size:])
	return ecdsa.Verify(key, sum, r, s)
}

func bigOf(text string) *big.Int {
	b, _ := base64.RawURLEncoding.DecodeString(text) // what cannot be read is no key: zero
	return new(big.Int).SetBytes(b)
}
