package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/audit"
)

// Whoever can write the database can write another log that fits together. The
// page must not say more than who is outside of it can vouch for.
func TestVerifyingSaysWhatCheckpointsVouchFor(t *testing.T) {
	ctx := t.Context()
	p, err := (&place{data: t.TempDir()}).open(ctx, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if err := p.store.Log.Write(ctx, access.Event{At: time.Now(), Kind: "person.signed_in", Actor: "x", Text: "Signed in."}); err != nil {
		t.Fatal(err)
	}
	if _, err := (&audit.Sealer{Book: p.store.Log, Log: slog.New(slog.DiscardHandler)}).Seal(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"vouch for the first 0.", "vouch for the first 1."} {
		r, err := p.proof().Verify(ctx)
		if err != nil || !r.OK || !strings.HasSuffix(r.Text, want) {
			t.Errorf("%+v, %v; want %q", r, err, want)
		}
		if err := p.notary.Testify(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
