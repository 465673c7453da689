package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"jitney/broker"
	"jitney/target"
	"jitney/target/ad"
	"jitney/target/entra"
)

// The pages of the real kinds: what each of them asks for can be entered, and
// what can stay as it is, is folded.
func TestTheSettingsOfRealKinds(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for _, tt := range []struct {
		kind         target.Kind
		shown, folds []string
	}{
		{ad.Kind(), []string{"Domain", "Service account", "Organizational unit"}, []string{"Prefix of account names", "Protected Users"}},
		{entra.Kind(), []string{"Entra tenant ID", "Application (client) ID", "Client secret"}, []string{"Domain for accounts", "Cloud", "Further roles"}},
	} {
		var b targetBody
		b.fields(tt.kind, newInput(tt.kind), nil, nil)
		has := func(list []fieldView, title string) bool {
			for _, f := range list {
				if f.Title == title {
					return true
				}
			}
			return false
		}
		for _, title := range tt.shown {
			if !has(b.Fields, title) {
				t.Errorf("%s: %s is not in sight", tt.kind.Name, title)
			}
		}
		for _, title := range tt.folds {
			if !has(b.More, title) {
				t.Errorf("%s: %s is not folded", tt.kind.Name, title)
			}
		}
		if len(b.Fields)+len(b.More) != len(tt.kind.Fields) || b.MoreOpen || b.MoreSet != "all as usual" {
			t.Errorf("%s: %d and %d fields, %q", tt.kind.Name, len(b.Fields), len(b.More), b.MoreSet)
		}
		last := b.More[len(b.More)-1].ID
		b = targetBody{}
		b.fields(tt.kind, newInput(tt.kind), nil, map[string]string{strings.TrimPrefix(last, "field-"): "Something is wrong."})
		if !b.MoreOpen {
			t.Errorf("%s: what is wrong with %s is folded away", tt.kind.Name, last)
		}
	}
	// A consent that the real kind asks for and answers.
	k := entra.Kind()
	s := target.Settings{Values: map[string]string{"tenant": "72f988bf-86f1-41af-91ab-2d7cd011db47", "app": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}}
	to, err := k.Consent.URL(s, "https://jitney.example/consent", "state.with.dots")
	if err != nil || !strings.HasPrefix(to, "https://login.microsoftonline.com/") {
		t.Errorf("consent at %q, %v", to, err)
	}
	if err := k.Consent.Answer(s, url.Values{"tenant": {"72F988BF-86F1-41AF-91AB-2D7CD011DB47"}, "admin_consent": {"True"}}); err != nil {
		t.Errorf("an agreement is taken for a refusal: %v", err)
	}
	w.ask(t, ada, "/customers/aviary/targets/new?kind=entra", nil).must(t, http.StatusOK, "Step 1 of 3.")
}

// newInput is what the form of a new target of a kind holds: the defaults.
func newInput(k target.Kind) (in broker.TargetInput) {
	in.Values = map[string]string{}
	for _, f := range k.Fields {
		if len(f.Options) > 0 {
			in.Values[f.Name] = f.Options[0]
		}
	}
	return in
}
