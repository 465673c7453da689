package broker

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // what Autotask signs with
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
	"time"

	"jitney/access"
	"jitney/secret"
)

// hookSecret is the name under which the secret of a connection's webhook is
// sealed. No field of a kind has a dot in its name.
const hookSecret = "webhook.secret"

// MaxHint bounds the body of a webhook call.
const MaxHint = 256 << 10

const (
	wakeEvery = 5 * time.Second // how often hints wake the watch of one connection
	badEvery  = 100 * time.Millisecond
	badBurst  = 50 // calls with a wrong signature to one connection that are only refused
)

// hints remembers how often hints came.
type hints struct {
	mu    sync.Mutex
	woken map[string]time.Time
	bad   map[string]time.Time // by connection, and one for those that are none; moves ahead with every call that is refused
}

// NewHookSecret makes a new secret for the webhook of a connection; the one
// before is of no use any more. It is shown once.
func (c *Connections) NewHookSecret(ctx context.Context, who access.Person, id string) (secret.Text, error) {
	who, err := c.gate.fresh(ctx, who, access.Administrator)
	if err != nil {
		return secret.Text{}, err
	}
	one, err := c.ports.Connections.Connection(ctx, id)
	if err != nil {
		return secret.Text{}, hide(err)
	}
	made := secret.New(rand.Text() + rand.Text())
	sealed, err := c.ports.Sealer.Seal(ctx, ConnectionKey, ConnectionPlace(id, hookSecret), made)
	if err != nil {
		return secret.Text{}, err
	}
	_, err = c.ports.Connections.SaveConnection(ctx, one, map[string][]byte{hookSecret: sealed},
		by(who, EventConnectionSaved, "", "", id, "Made a new secret for the webhook of the ticket system "+one.Name+"."))
	return made, hide(err)
}

// HasHook reports whether the webhook of a connection has a secret.
func (p ConnectionPage) HasHook() bool { return p.Secrets[hookSecret] }

// Hint takes a webhook call: raw is its body as it came, header reads one of
// its headers. The signature is all that is believed: what the call says is
// not even read. It only makes the program look at the connection's tickets
// sooner, so that a call that is repeated, late or made up by whoever knows the
// secret changes nothing.
func (c *Connections) Hint(ctx context.Context, id string, header func(string) string, raw []byte) error {
	if known, ok := c.signed(ctx, id, header, raw); !ok {
		if c.hints.tooMany(known, time.Now()) { // whoever has the secret gets through all the same
			return &access.Error{Kind: access.Unavailable, Text: "Too many calls with a wrong signature.", After: time.Second}
		}
		return denied("The signature of this call is missing or wrong.", "")
	}
	if c.ports.Backlog == nil || !c.hints.wake(id, time.Now()) {
		return nil
	}
	w := access.WatchWork(id)
	w.ID = newID()
	return c.ports.Backlog.Ensure(ctx, w)
}

// signed reports whether a call is signed with the secret of a connection, and
// which one that is: empty if it has no secret, or is not there.
func (c *Connections) signed(ctx context.Context, id string, header func(string) string, raw []byte) (connection string, ok bool) {
	if id == "" || len(id) > 100 || len(raw) > MaxHint {
		return "", false
	}
	one, err := c.ports.Connections.Connection(ctx, id)
	if err != nil || !one.DisabledAt.IsZero() {
		return "", false
	}
	sealed, err := c.ports.Connections.ConnectionSecrets(ctx, id)
	if err != nil || len(sealed[hookSecret]) == 0 {
		return "", false
	}
	key, err := c.ports.Sealer.Open(ctx, ConnectionKey, ConnectionPlace(id, hookSecret), sealed[hookSecret])
	return id, err == nil && !key.IsZero() && signs(key, header, raw)
}

// signs reports whether one of the headers that systems sign with holds the
// HMAC of raw under key.
func signs(key secret.Text, header func(string) string, raw []byte) bool {
	for _, h := range []struct {
		name, prefix string
		hash         func() hash.Hash
	}{
		{"X-Jitney-Signature", "sha256=", sha256.New},
		{"X-Hub-Signature-256", "sha256=", sha256.New},
		{"X-Hook-Signature", "sha1=", sha1.New}, // Autotask
	} {
		text, ok := strings.CutPrefix(strings.TrimSpace(header(h.name)), h.prefix)
		if !ok || text == "" || len(text) > 100 {
			continue
		}
		mac := hmac.New(h.hash, []byte(key.Reveal()))
		mac.Write(raw)
		want := mac.Sum(nil)
		if got, err := hex.DecodeString(text); err == nil && hmac.Equal(got, want) {
			return true
		}
		if got, err := base64.StdEncoding.DecodeString(text); err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}

// wake reports whether a hint may wake the watch of a connection now.
func (h *hints) wake(id string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now.Sub(h.woken[id]) < wakeEvery {
		return false
	}
	if h.woken == nil {
		h.woken = map[string]time.Time{}
	}
	h.woken[id] = now
	return true
}

// tooMany counts a call to a connection that is refused, and reports whether
// there were too many of late.
func (h *hints) tooMany(id string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bad == nil {
		h.bad = map[string]time.Time{}
	}
	at := h.bad[id]
	if at.Before(now) {
		at = now
	}
	if at.Sub(now) > badBurst*badEvery {
		return true
	}
	h.bad[id] = at.Add(badEvery)
	return false
}
