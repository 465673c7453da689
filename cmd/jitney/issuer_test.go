package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/target/aws"
)

func TestNoTokenIsMadeThatAWSWouldNotTake(t *testing.T) {
	ctx := t.Context()
	p, err := (&place{data: t.TempDir()}).open(ctx, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	ask := aws.MintAsk{Audience: "jitney", Subject: "subject", Lifetime: time.Minute}
	for address, fits := range map[string]bool{"http://127.0.0.1:8080": false, "https://jitney.example:8443": false, "https://jitney.example": true} {
		if err := p.issuer.Move(ctx, address); err != nil {
			t.Fatal(err)
		}
		ask.Real = true
		if _, err := (minter{p.issuer}).Mint(ctx, ask); (err == nil) != fits || err != nil && (access.KindOf(err) != access.Invalid || !strings.Contains(err.Error(), address)) {
			t.Errorf("a token for AWS of an issuer at %s: %v", address, err)
		}
		ask.Real = false
		if _, err := (minter{p.issuer}).Mint(ctx, ask); err != nil {
			t.Errorf("a token for a simulation of an issuer at %s: %v", address, err)
		}
	}
}
