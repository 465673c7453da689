// Package secret holds passwords and keys without printing them: a Text that
// never shows itself, a password generator, and envelope encryption.
package secret

import (
	"crypto/subtle"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
)

const hidden = "***"

// A Text is a secret that prints as ***, however it is printed. Reveal is the
// one way to what it holds. The zero Text holds nothing.
type Text struct{ s *string }

// New returns a Text that holds s; an empty s gives the zero Text.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{&s}
}

// Reveal reports what t holds.
func (t Text) Reveal() string {
	if t.s == nil {
		return ""
	}
	return *t.s
}

// IsZero reports whether t holds nothing.
func (t Text) IsZero() bool { return t.s == nil }

// Equal compares in a time that does not depend on where t and u differ.
func (t Text) Equal(u Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

func (t Text) String() string               { return hidden }
func (t Text) GoString() string             { return hidden }
func (t Text) Format(f fmt.State, _ rune)   { fmt.Fprint(f, hidden) }
func (t Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }
func (t Text) LogValue() slog.Value         { return slog.StringValue(hidden) }

// Value refuses: a secret goes into a database sealed, or not at all.
func (t Text) Value() (driver.Value, error) {
	return nil, errors.New("secret: a Text cannot be stored; seal it")
}
