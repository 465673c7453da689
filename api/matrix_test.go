package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// whoMayCall lists every call that there is. What a token may do is the
// broker's to say; a call that is not listed here fails the test.
var whoMayCall = map[string]string{
	"GET /api/v1/me":                       "who has a token",
	"POST /api/v1/logout":                  "who has a token",
	"POST /api/v1/aws/sessions":            "who has a token",
	"POST /api/v1/aws/sessions/end":        "who has a token",
	"GET /api/v1/aws/tenants":              "who has a token",
	"POST /api/v1/cli/pairings":            "anybody", // slowed down by address
	"POST /api/v1/cli/pairings/{id}/token": "anybody", // who has the verifier, and what a person authorized
}

func TestWhoMayCallWhat(t *testing.T) {
	w := newWorld(t)
	_, text := w.token(t, "maya", nil)
	doc := w.call(t, "", "GET", "/api/openapi.json", nil).must(t, http.StatusOK, "")
	listed := 0
	for path, methods := range doc.body["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			name := strings.ToUpper(method) + " " + path
			may, ok := whoMayCall[name]
			if listed++; !ok {
				t.Errorf("nobody says who may call %s", name)
			}
			if _, says := op.(map[string]any)["security"]; says != (may != "anybody") {
				t.Errorf("%s: the description says otherwise than that %s may call it", name, may)
			}
			path := strings.ReplaceAll(path, "{id}", "nonesuch")
			var body any
			if method == "post" {
				body = "{}"
			}
			if a := w.call(t, "", strings.ToUpper(method), path, body); (a.status == http.StatusUnauthorized) != (may != "anybody") {
				t.Errorf("%s without a token: %d", name, a.status)
			}
			if a := w.call(t, "jat_"+strings.Repeat("a", 52), strings.ToUpper(method), path, body); (a.status == http.StatusUnauthorized) != (may != "anybody") {
				t.Errorf("%s with a wrong token: %d", name, a.status)
			}
			if a := w.call(t, text, strings.ToUpper(method), path, body); a.status == http.StatusUnauthorized {
				t.Errorf("%s with a good token: %d", name, a.status)
			}
		}
	}
	if listed != len(whoMayCall) {
		t.Errorf("%d calls are listed here, and %d described", len(whoMayCall), listed)
	}
}
