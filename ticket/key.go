package ticket

import (
	"strings"
	"unicode/utf8"
)

// MaxKey is the most bytes that the key of a note may have.
const MaxKey = 200

// ValidKey reports whether key may name a note: letters, digits, ':' and '-',
// so that it needs no escaping anywhere.
func ValidKey(key string) bool {
	return key != "" && len(key) <= MaxKey && strings.IndexFunc(key, func(r rune) bool { return !keyRune(r) }) < 0
}

// Carries reports whether text holds key as a whole, and not merely a longer
// key that begins or ends like it. Systems rewrite white space, quotes and
// markup around it, so nothing else is looked at.
func Carries(text, key string) bool {
	if key == "" {
		return false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], key)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(key)
		if (i == 0 || !keyRune(rune(text[i-1]))) && (end == len(text) || !keyRune(rune(text[end]))) {
			return true
		}
		from = i + 1
	}
}

// Marked is body with key findable in it: as it is if it carries the key, else
// with a last line that does.
func Marked(body, key string) string {
	if Carries(body, key) {
		return body
	}
	return body + "\n[" + key + "]"
}

// Fit shortens a note to at most limit bytes, keeping its last line, which
// holds the key.
func Fit(body string, limit int) string {
	if limit <= 0 || len(body) <= limit {
		return body
	}
	i := max(strings.LastIndexByte(body, '\n'), 0)
	tail := "\n…" + body[i:]
	if len(tail) > limit {
		i, tail = limit, ""
	}
	head := body[:min(i, limit-len(tail))]
	for len(head) > 0 && !utf8.ValidString(head) {
		head = head[:len(head)-1]
	}
	return head + tail
}

func keyRune(r rune) bool {
	return r == ':' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}
