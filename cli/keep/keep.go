// Package keep keeps what a command line signed in with: one token for each
// Jitney, in the keyring of the operating system, or where there is none in a
// file that only its owner can read. It never prints a token, never asks a
// server, and touches neither the keyring nor the disk before it must.
package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"jitney/cli/exit"
)

// service is under what name the keyring lists our tokens.
const service = "jitney"

// mostRecord bounds what is read back. The keyring of Windows holds 2,560
// bytes.
const mostRecord = 2500

// ErrNone is the error of Get if nothing is kept for a host.
var ErrNone = errors.New("keep: no token")

// A Token is what a sign-in gave. However it is printed, logged or marshalled,
// Text does not show.
type Token struct {
	Text      string `json:"-"` // what follows Bearer
	ExpiresAt time.Time
	Login     string // who signed in
	Admin     bool   // whether it was asked for with admin scope
}

// Good reports whether t can be used at now, and for admin scope if asked.
// The last half minute does not count: a request must still arrive.
func (t Token) Good(now time.Time, admin bool) bool {
	return t.Text != "" && now.Add(30*time.Second).Before(t.ExpiresAt) && (t.Admin || !admin)
}

// String describes t without its text.
func (t Token) String() string {
	if t.Text == "" {
		return "no token"
	}
	return fmt.Sprintf("token of %s until %s", t.Login, t.ExpiresAt.UTC().Format(time.RFC3339))
}

// GoString describes t without its text.
func (t Token) GoString() string { return t.String() }

// Format describes t without its text, whatever the verb.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue describes t without its text.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// A record is a token as it is kept. It names its host, so that a file that
// was copied or renamed is not sent to another.
type record struct {
	Host      string    `json:"host"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	Login     string    `json:"login"`
	Admin     bool      `json:"admin"`
}

// A Store keeps tokens by host. A host is an address as Origin reports it;
// others are brought into that form. It is safe for parallel use.
type Store struct {
	env  func(string) string
	ring ring // nil: no keyring

	mu   sync.Mutex
	down error // why the keyring is not asked again by this process
}

// Open returns the store that the environment chooses: JITNEY_KEYRING is
// file, os or auto, which is the default and means the keyring where one
// answers. A file holds what the keyring does not. Nothing is read yet.
func Open(env func(string) string) *Store {
	return &Store{env: env, ring: system{}}
}

// Get reports what is kept for a host, expired or not. The error is ErrNone if
// nothing is, else one that says what is wrong with what is kept.
func (s *Store) Get(host string) (Token, error) {
	origin, folder, useRing, useFile, err := s.open(host)
	if err != nil {
		return Token{}, err
	}
	// The file comes first: it costs nothing to look, and it exists only if
	// the keyring failed or is not wanted.
	if useFile {
		data, err := folder.Read(tokenFile(origin), mostRecord)
		if err == nil {
			return decode(origin, data, folder.Path(tokenFile(origin)))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Token{}, err
		}
	}
	if !useRing {
		return Token{}, ErrNone
	}
	text, err := s.ask(func(r ring) (string, error) { return r.Get(service, origin) })
	switch {
	case errors.Is(err, errNotFound):
		return Token{}, ErrNone
	case err != nil && useFile:
		return Token{}, ErrNone
	case err != nil:
		return Token{}, ringError(err)
	}
	return decode(origin, []byte(text), "the keyring")
}

// Put keeps a token for a host in place of any other.
func (s *Store) Put(host string, t Token) error {
	origin, folder, useRing, useFile, err := s.open(host)
	if err != nil {
		return err
	}
	data, err := json.Marshal(record{Host: origin, Token: t.Text, ExpiresAt: t.ExpiresAt.UTC(), Login: t.Login, Admin: t.Admin})
	if err != nil || len(data) > mostRecord {
		return exit.New(exit.Failed, "The sign-in is too large to be kept.", "")
	}
	if err := s.put(origin, folder, data, useRing, useFile); err != nil {
		return err
	}
	folder.note(origin, t)
	return nil
}

func (s *Store) put(origin string, folder Folder, data []byte, useRing, useFile bool) error {
	if useRing {
		_, err := s.ask(func(r ring) (string, error) { return "", r.Set(service, origin, string(data)) })
		if err == nil {
			return folder.Remove(tokenFile(origin)) // else Get would find the older one
		}
		if !useFile {
			return ringError(err)
		}
	}
	return folder.Write(tokenFile(origin), data)
}

// Delete forgets what is kept for a host, wherever it is. It is no error if
// nothing is.
func (s *Store) Delete(host string) error {
	origin, folder, useRing, _, err := s.open(host)
	if err != nil {
		return err
	}
	err = errors.Join(folder.Remove(tokenFile(origin)), folder.Remove(noteFile(origin)))
	if useRing {
		_, ringErr := s.ask(func(r ring) (string, error) { return "", r.Delete(service, origin) })
		if ringErr != nil && !errors.Is(ringErr, errNotFound) && s.mode() == "os" {
			err = errors.Join(err, ringError(ringErr))
		}
	}
	return err
}

// mode reports what JITNEY_KEYRING asks for.
func (s *Store) mode() string {
	if m := strings.ToLower(s.env("JITNEY_KEYRING")); m != "" {
		return m
	}
	return "auto"
}

// open reports under what name and where to look for a host's token.
func (s *Store) open(host string) (origin string, f Folder, useRing, useFile bool, err error) {
	if origin, err = Origin(host); err != nil {
		return "", f, false, false, err
	}
	if f, err = Dir(s.env); err != nil && s.mode() != "os" {
		return "", f, false, false, err
	}
	switch s.mode() {
	case "auto":
		return origin, f, s.ring != nil && s.ring.Near(s.env), true, nil
	case "file":
		return origin, f, false, true, nil
	case "os":
		if s.ring == nil || !s.ring.Near(s.env) {
			return "", f, false, false, exit.New(exit.Usage, "JITNEY_KEYRING is os, but this computer offers no keyring here.",
				"Set JITNEY_KEYRING=file, or start the command where your desktop runs.")
		}
		return origin, f, true, false, nil
	default:
		return "", f, false, false, exit.New(exit.Usage, "JITNEY_KEYRING must be auto, os or file.", "")
	}
}

// decode reads a record back and refuses one of another host.
func decode(origin string, data []byte, where string) (Token, error) {
	var r record
	err := json.Unmarshal(data, &r)
	if err == nil && (r.Host != origin || r.Token == "" || strings.ContainsFunc(r.Token, func(c rune) bool { return c <= ' ' || c > '~' })) {
		err = errors.New("keep: not a token of " + origin)
	}
	if err != nil {
		return Token{}, &exit.Error{Code: exit.Login, Text: "What was kept of your sign-in in " + where + " cannot be read.",
			Hint: "Run \"jitney logout\", then \"jitney login\".", Err: ErrBroken}
	}
	return Token{Text: r.Token, ExpiresAt: r.ExpiresAt, Login: r.Login, Admin: r.Admin}, nil
}

// ErrBroken is the cause of the error of Get if what is kept is damaged; it
// may be overwritten.
var ErrBroken = errors.New("keep: damaged")

func ringError(err error) error {
	return &exit.Error{Code: exit.Failed, Text: "The keyring of this computer did not answer.",
		Hint: "Unlock it and repeat, or set JITNEY_KEYRING=file.", Err: err}
}
