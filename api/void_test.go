package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"jitney/access"
	"jitney/signin"
)

// What somebody authorized in a browser that was taken from its owner must not
// become a sign-in after the owner did all they can against that.
func TestWhatWasAuthorizedEndsWithTheSessions(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *world) error{
		"their password was changed": func(t *testing.T, w *world) error {
			return w.store.People.SetPassword(t.Context(), "maya", "hash", "")
		},
		"they were disabled, and enabled again": func(t *testing.T, w *world) error {
			maya, err := w.store.People.Person(t.Context(), "maya")
			for _, at := range []time.Time{time.Now(), {}} {
				if err == nil {
					maya.DisabledAt = at
					maya, err = w.store.People.SavePerson(t.Context(), maya)
				}
			}
			return err
		},
		"an administrator ended their sessions": func(t *testing.T, w *world) error {
			d := signin.New(signin.Config{People: w.store.People, Sessions: w.store.Sessions, Settings: w.store.Rules, Log: w.store.Log,
				Tokens: w.store.Tokens, Pairings: w.store.Pairings, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
			return d.End(t.Context(), access.Person{ID: "ada"}, "maya", "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			held := w.begin(t, map[string]any{"port": 0}).must(t, http.StatusCreated, "")
			w.authorize(t, "maya", held.body["pairing"], held.body["code"].(string))
			token := w.redeem(t, held.body["pairing"], verifier, "").must(t, http.StatusOK, "").body["token"].(string)
			a := w.begin(t, map[string]any{"port": 0}).must(t, http.StatusCreated, "")
			other := w.begin(t, nil).must(t, http.StatusCreated, "")
			w.authorize(t, "maya", a.body["pairing"], a.body["code"].(string))
			code := w.authorize(t, "priya", other.body["pairing"], "")
			if err := end(t, w); err != nil {
				t.Fatal(err)
			}
			got := w.redeem(t, a.body["pairing"], verifier, "").must(t, http.StatusForbidden, "refused")
			if strings.Contains(got.text, "jcl_") {
				t.Error("there is a sign-in all the same")
			}
			w.call(t, token, "GET", "/api/v1/me", nil).must(t, http.StatusUnauthorized, "login_needed")
			w.redeem(t, other.body["pairing"], verifier, code).must(t, http.StatusOK, "")
		})
	}
}

func TestWhoOnlySawTheAddressCannotHoldUpASignIn(t *testing.T) {
	w := newWorld(t)
	id := w.begin(t, nil).must(t, http.StatusCreated, "").body["pairing"]
	code := w.authorize(t, "maya", id, "")
	w.address = "198.51.100.9"
	for range 40 {
		w.redeem(t, id, strings.Repeat("x", 43), "").must(t, http.StatusForbidden, "refused")
	}
	w.address = "192.0.2.1"
	w.redeem(t, id, verifier, code).must(t, http.StatusOK, "")
}
