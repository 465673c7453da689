package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jitney/target"
)

// lists reports whether one can list the account's buckets with keys.
func (w *world) lists(k target.Keys) bool {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://s3.eu-west-1.amazonaws.com/", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := sdk.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret.Reveal(), SessionToken: k.Token.Reveal()}
	if err := signer.SignHTTP(context.Background(), creds, req, hash, "s3", "eu-west-1", w.Now().Truncate(time.Second)); err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.Transport().RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
