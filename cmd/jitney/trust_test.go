//go:build crashpoints

package main

import (
	"crypto/tls"
	"crypto/x509"
)

// trust trusts the authority of a test's directory.
func trust(ca []byte, host string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &tls.Config{RootCAs: pool, ServerName: host}
}
