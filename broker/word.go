package broker

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"jitney/access"
	"jitney/target"
)

// Word is what people call the credential of accounts that h leads into:
// "password", "Temporary Access Pass".
func Word(h target.Handover) string {
	if h.Word == "" {
		return "credential"
	}
	return h.Word
}

// Capital begins word with a capital letter, as sentences and labels do.
func Capital(word string) string {
	r, n := utf8.DecodeRuneInString(word)
	if n == 0 || r == utf8.RuneError {
		return word
	}
	return string(unicode.ToUpper(r)) + word[n:]
}

// Indefinite puts "a" or "an" before word.
func Indefinite(word string) string {
	if word != "" && strings.ContainsRune("aeiouAEIOU", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

// conflict is an error about something that is not so now.
func conflict(text, hint string) error {
	return &access.Error{Kind: access.Conflict, Text: text, Hint: hint}
}
