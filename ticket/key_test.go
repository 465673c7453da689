package ticket_test

import (
	"strings"
	"testing"

	"jitney/ticket"
)

func TestCarries(t *testing.T) {
	const key = "jitney:g1:granted:1"
	tests := []struct {
		name, text string
		want       bool
	}{
		{"the last line of a note", "Enabled.\n[jitney:g1:granted:1]", true},
		{"the key alone", key, true},
		{"inside of markup", "<p>[jitney:g1:granted:1]</p>", true},
		{"a longer key comes first", "jitney:g1:granted:11 jitney:g1:granted:1.", true},
		{"a key that begins like it", "[jitney:g1:granted:11]", false},
		{"a key that ends like it", "[xjitney:g1:granted:1]", false},
		{"in other letters", "[JITNEY:g1:granted:1]", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ticket.Carries(tt.text, key); got != tt.want {
				t.Errorf("Carries(%q) = %v", tt.text, got)
			}
		})
	}
	t.Run("no key is carried by nothing", func(t *testing.T) {
		if ticket.Carries("", "") || ticket.Carries("a", "") {
			t.Error("an empty key is found")
		}
	})
}

func TestMarked(t *testing.T) {
	if got := ticket.Marked("Enabled.\n[jitney:g:granted:1]", "jitney:g:granted:1"); got != "Enabled.\n[jitney:g:granted:1]" {
		t.Errorf("marked twice: %q", got)
	}
	if got := ticket.Marked("Enabled.", "jitney:g:granted:1"); got != "Enabled.\n[jitney:g:granted:1]" {
		t.Errorf("Marked: %q", got)
	}
}

func TestValidKey(t *testing.T) {
	for key, want := range map[string]bool{"jitney:g-1:granted:1": true, "": false, "a b": false, "a'b": false, "ä": false, strings.Repeat("a", 201): false} {
		if ticket.ValidKey(key) != want {
			t.Errorf("ValidKey(%q) is not %v", key, want)
		}
	}
}

func TestFit(t *testing.T) {
	tests := []struct {
		name, body string
		limit      int
		want       string
	}{
		{"short enough", "one\ntwo\n[k]", 11, "one\ntwo\n[k]"},
		{"no limit", "one\ntwo\n[k]", 0, "one\ntwo\n[k]"},
		{"the last line stays", "one two three\n[k]", 15, "one two\n…\n[k]"},
		{"no letter is cut in two", "ää ää ää\n[k]", 11, "ä\n…\n[k]"},
		{"the last line alone is too long", "one\n[long key]", 5, "one\n["},
		{"one line", "one two", 3, "one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ticket.Fit(tt.body, tt.limit); got != tt.want || tt.limit > 0 && len(got) > tt.limit {
				t.Errorf("%q; want %q", got, tt.want)
			}
		})
	}
}
