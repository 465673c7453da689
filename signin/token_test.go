package signin

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jitney/access"
	"jitney/secret"
)

// A ring keeps tokens in memory, beside the people of a house.
type ring struct {
	*memory
	tokens   map[string]access.Token // by hash
	pairings map[string]access.Pairing
	uses     int
}

func newRing() *ring {
	r := &ring{memory: newMemory(), tokens: map[string]access.Token{}, pairings: map[string]access.Pairing{}}
	r.people["maya"] = access.Person{ID: "maya", Login: maya, Name: "Maya", Roles: []access.Role{access.Requester}, Customers: []string{"aviary"}}
	r.people["ada"] = access.Person{ID: "ada", Login: "ada@msp.example", Name: "Ada", Roles: []access.Role{access.Administrator}}
	return r
}

func (r *ring) TokenByHash(_ context.Context, hash string) (access.Token, error) {
	t, ok := r.tokens[hash]
	if !ok {
		return t, absent()
	}
	return t, nil
}

func (r *ring) Tokens(_ context.Context, person string) (all []access.Token, err error) {
	for _, t := range r.tokens {
		if person == "" || t.Person == person {
			all = append(all, t)
		}
	}
	return all, nil
}

func (r *ring) AddToken(_ context.Context, t access.Token, hash string, _ access.Letter, events ...access.Event) error {
	r.tokens[hash] = t
	return r.write(events)
}

func (r *ring) UseToken(_ context.Context, id string, at time.Time, from string) error {
	r.uses++
	for hash, t := range r.tokens {
		if t.ID == id {
			t.UsedAt, t.UsedFrom = at, from
			r.tokens[hash] = t
		}
	}
	return nil
}

func (r *ring) RevokeToken(_ context.Context, id string, at time.Time, by string, events ...access.Event) error {
	for hash, t := range r.tokens {
		if t.ID == id && t.RevokedAt.IsZero() {
			t.RevokedAt, t.RevokedBy = at, by
			r.tokens[hash] = t
			return r.write(events)
		}
	}
	return nil
}

func (r *ring) make(t *testing.T, want access.Token) secret.Text {
	t.Helper()
	if want.Name == "" {
		want.Name = "pipeline"
	}
	want.Person = "maya"
	_, text, err := NewTokens(r, r, r, nil).Create(t.Context(), r.people["ada"], want)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestATokenRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing()
		text := r.make(t, access.Token{ExpiresAt: time.Now().Add(access.TokenLongest)})
		tokens := NewTokens(r, r, r, nil)
		for range 100 { // a request a second: one write a minute
			if _, _, err := tokens.Check(t.Context(), text, "192.0.2.1"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if r.uses != 2 {
			t.Errorf("the use was stored %d times in 100 seconds", r.uses)
		}
		time.Sleep(access.TokenLongest - 2*time.Minute)
		if _, _, err := tokens.Check(t.Context(), text, "192.0.2.1"); err != nil {
			t.Errorf("just before the end: %v", err)
		}
		if all, err := tokens.List(t.Context(), r.people["maya"], true); err != nil || len(all) != 1 || !all[0].Ending(time.Now()) {
			t.Errorf("%+v, %v", all, err)
		}
		time.Sleep(time.Minute)
		for range 10 {
			_, _, err := tokens.Check(t.Context(), text, "192.0.2.1")
			if access.CodeOf(err) != LoginNeeded {
				t.Fatalf("after the end: %v", err)
			}
		}
		refused := 0
		for _, kind := range r.kinds() {
			if kind == EventTokenRefused {
				refused++
			}
		}
		if refused != 2 {
			t.Errorf("%d records of 10 refusals", refused)
		}
	})
}

func (r *ring) kinds() (kinds []string) {
	for _, e := range r.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestEndingAllSessionsEndsCommandLines(t *testing.T) {
	r := newRing()
	far := time.Now().Add(time.Hour)
	r.tokens["a"] = access.Token{ID: "a", Kind: access.TokenAPI, Person: "maya", ExpiresAt: far}
	r.tokens["c"] = access.Token{ID: "c", Kind: access.TokenCLI, Person: "maya", ExpiresAt: far}
	r.tokens["o"] = access.Token{ID: "o", Kind: access.TokenCLI, Person: "ada", ExpiresAt: far}
	d := newDoor(Config{People: r, Sessions: r, Settings: r, Log: r, Tokens: r}, cost{cheapKiB, 1, 1})
	if err := d.End(t.Context(), r.people["maya"], "maya", "one-session"); err != nil || !r.tokens["c"].Live(time.Now()) {
		t.Errorf("one session: %v", err)
	}
	if err := d.End(t.Context(), r.people["ada"], "maya", ""); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"a": true, "c": false, "o": true} {
		if r.tokens[id].Live(time.Now()) != want {
			t.Errorf("%s: live is %v", id, !want)
		}
	}
}

func TestTextsOfTokensAreLongAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		text := newTokenText(apiPrefix).Reveal()
		if seen[text] || len(text) != 56 || !strings.HasPrefix(text, "jat_") || text != strings.ToLower(text) {
			t.Fatalf("%d characters", len(text))
		}
		seen[text] = true
	}
	if s := fmt.Sprint(newTokenText(cliPrefix)); strings.Contains(s, "jcl_") {
		t.Errorf("prints as %s", s)
	}
}

func TestCodesAreReadInAnyForm(t *testing.T) {
	for range 1000 {
		code := newCode()
		if len(code) != 9 || sameCode(code) != code || sameCode(strings.ToLower(code[:4]+" "+code[5:])) != code || sameCode(code[:4]+code[5:]) != code {
			t.Fatalf("%q", code)
		}
	}
	for _, typed := range []string{"", "BCDF", "BCDF-GHJK-L", "AEIO-UAEI", strings.Repeat("B", 1000)} {
		if got := sameCode(typed); got != "" {
			t.Errorf("%.20q is %q", typed, got)
		}
	}
}

func TestWhatIsRecordedDoesNotMoveTheCursor(t *testing.T) {
	if got := clip("a\x1b[2Jb\u009b31mc\u202ed\x7fe", 20); got != "a [2Jb 31mc d e" {
		t.Errorf("%q", got)
	}
}
