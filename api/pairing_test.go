package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"jitney/access"
)

func TestPairing(t *testing.T) {
	w := newWorld(t)
	a := w.begin(t, nil).must(t, http.StatusCreated, "")
	id, code := a.body["pairing"], a.body["code"].(string)
	if a.body["url"] != "https://jitney.example/local-access/"+id.(string) || len(code) != 9 || !strings.HasSuffix(a.body["expires_at"].(string), "Z") {
		t.Fatalf("%s", a.text)
	}
	if a := w.redeem(t, id, verifier, "").must(t, http.StatusAccepted, ""); a.body["state"] != "waiting" {
		t.Errorf("%s", a.text)
	}
	oneTime := w.authorize(t, "maya", id, "")
	if a := w.redeem(t, id, verifier, "").must(t, http.StatusAccepted, ""); a.body["state"] != "authorized" || len(a.body) != 1 {
		t.Errorf("%s", a.text)
	}
	w.redeem(t, id, strings.Repeat("x", 43), oneTime).must(t, http.StatusForbidden, "refused")
	w.redeem(t, id, verifier, oneTime+"x").must(t, http.StatusForbidden, "refused")
	if _, _, err := w.pairings.Again(t.Context(), access.Person{ID: "priya"}, id.(string)); access.KindOf(err) != access.NotFound {
		t.Errorf("somebody else delivers it: %v", err)
	}
	got := w.redeem(t, id, verifier, oneTime).must(t, http.StatusOK, "")
	token := got.body["token"].(string)
	if got.body["login"] != "maya@msp.example" || !strings.HasPrefix(token, "jcl_") {
		t.Fatalf("%s", got.text)
	}
	w.redeem(t, id, verifier, oneTime).must(t, http.StatusGone, "ended")
	me := w.call(t, token, "GET", "/api/v1/me", nil).must(t, http.StatusOK, "")
	if who := me.body["token"].(map[string]any); who["kind"] != "cli" || who["admin"] != false || who["tenants"] != nil || who["name"] != "jitney on dev-box" {
		t.Errorf("%s", me.text)
	}
	w.call(t, token, "POST", "/api/v1/aws/sessions", "{}")
	if from := w.issuer.ask.From; from.Via != access.ViaCLI || from.Machine != "dev-box" || from.Application != "jitney" || !from.NoAdmin || from.Customers != nil {
		t.Errorf("%+v", from)
	}
	if a := w.call(t, token, "POST", "/api/v1/logout", nil).must(t, http.StatusNoContent, ""); a.text != "" {
		t.Errorf("%s", a.text)
	}
	w.call(t, token, "GET", "/api/v1/me", nil).must(t, http.StatusUnauthorized, "login_needed")
	w.mustNotHold(t, token, oneTime, verifier)
}

func TestPairingADevice(t *testing.T) {
	w := newWorld(t)
	a := w.begin(t, map[string]any{"port": 0, "admin": true}).must(t, http.StatusCreated, "")
	id, code := a.body["pairing"], a.body["code"].(string)
	if a.body["url"] != "https://jitney.example/device" {
		t.Errorf("%s", a.text)
	}
	w.redeem(t, id, verifier, "").must(t, http.StatusAccepted, "")
	if _, _, err := w.pairings.Authorize(t.Context(), access.Person{ID: "ada"}, id.(string), ""); access.KindOf(err) != access.Denied {
		t.Errorf("authorized without the code: %v", err)
	}
	w.authorize(t, "ada", id, code)
	w.redeem(t, id, strings.Repeat("y", 43), "").must(t, http.StatusForbidden, "refused")
	got := w.redeem(t, id, verifier, "").must(t, http.StatusOK, "")
	me := w.call(t, got.body["token"].(string), "GET", "/api/v1/me", nil).must(t, http.StatusOK, "")
	if who := me.body["token"].(map[string]any); who["admin"] != true {
		t.Errorf("%s", me.text)
	}
}

func TestAPairingThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]map[string]any{
		"no challenge":         {"challenge": ""},
		"another challenge":    {"challenge": strings.Repeat("!", 43)},
		"no state":             {"state": ""},
		"a state of markup":    {"state": "<script>alert(1)</script>"},
		"a port of the system": {"port": 80},
		"no port at all":       {"port": 70000},
		"a name like a book":   {"machine": strings.Repeat("x", 300)},
	} {
		t.Run(name, func(t *testing.T) { w.begin(t, change).must(t, http.StatusUnprocessableEntity, "invalid") })
	}
	t.Run("one that was never asked", func(t *testing.T) {
		w.redeem(t, "nothing", verifier, "").must(t, http.StatusGone, "ended")
	})
	t.Run("one that a person refused", func(t *testing.T) {
		id := w.begin(t, nil).must(t, http.StatusCreated, "").body["pairing"]
		if _, err := w.pairings.Cancel(t.Context(), access.Person{ID: "maya", Login: "maya"}, id.(string)); err != nil {
			t.Fatal(err)
		}
		w.redeem(t, id, verifier, "").must(t, http.StatusForbidden, "refused")
	})
	t.Run("one of somebody who may not ask any more", func(t *testing.T) {
		id := w.begin(t, nil).must(t, http.StatusCreated, "").body["pairing"]
		code := w.authorize(t, "priya", id, "")
		p, err := w.store.People.Person(t.Context(), "priya")
		if err != nil {
			t.Fatal(err)
		}
		p.Roles = []access.Role{access.Auditor}
		if _, err := w.store.People.SavePerson(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.redeem(t, id, verifier, code).must(t, http.StatusForbidden, "refused")
	})
	t.Run("names are cut, and hold nothing that hides", func(t *testing.T) {
		id := w.begin(t, map[string]any{"application": "<b>\u202eevil\u0000", "machine": " a \n b "}).must(t, http.StatusCreated, "").body["pairing"]
		p, err := w.store.Pairings.Pairing(t.Context(), id.(string))
		if err != nil || p.Application != "<b>evil" || p.Machine != "a b" {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestPairingIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	w.address = "198.51.100.1"
	refused, began := 0, time.Now()
	for range 30 {
		if a := w.begin(t, nil); a.status == http.StatusTooManyRequests {
			refused++
			if a.body["code"] != "too_many" || a.header.Get("Retry-After") == "" {
				t.Fatalf("%s", a.text)
			}
		}
	}
	if took := time.Since(began); refused < 30-20-1-int(took/(6*time.Second)) { // twenty at once, and then one in six seconds
		t.Errorf("%d of 30 were refused in %v", refused, took)
	}
	w.address = "198.51.100.2"
	id := w.begin(t, nil).must(t, http.StatusCreated, "").body["pairing"]
	refused, began = 0, time.Now()
	for range 40 {
		if w.redeem(t, id, verifier, "").status == http.StatusTooManyRequests {
			refused++
		}
	}
	if took := time.Since(began); refused < 40-30-1-int(took/(500*time.Millisecond)) { // thirty at once, and then two a second
		t.Errorf("%d of 40 were refused in %v: polling is not slowed down", refused, took)
	}
}

// checkDescription looks at what an OpenAPI document must hold so that
// programs can be made from it.
func checkDescription(t *testing.T, doc map[string]any) {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for part := range strings.SplitSeq(string(text), `"$ref":"`) {
		ref, _, _ := strings.Cut(part, `"`)
		if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); ok && schemas[name] == nil {
			t.Errorf("%s is not described", ref)
		}
	}
	seen := map[any]bool{}
	for path, one := range doc["paths"].(map[string]any) {
		for method, op := range one.(map[string]any) {
			o := op.(map[string]any)
			if seen[o["operationId"]] || o["operationId"] == nil || o["summary"] == "" {
				t.Errorf("%s %s: operation %v", method, path, o["operationId"])
			}
			seen[o["operationId"]] = true
			answers := o["responses"].(map[string]any)
			problem, _ := json.Marshal(answers["default"])
			if !strings.Contains(string(problem), "application/problem+json") || len(answers) < 2 {
				t.Errorf("%s %s: answers %s", method, path, problem)
			}
			if (o["security"] == nil) != strings.Contains(path, "/cli/") {
				t.Errorf("%s %s: security %v", method, path, o["security"])
			}
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d operations", len(seen))
	}
}
