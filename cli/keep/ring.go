package keep

import (
	"errors"
	"runtime"
	"strings"
	"time"

	"github.com/zalando/go-keyring"
)

// patience is how long a keyring may take, which may be asking its owner for
// a password. A sign-in and this together stay below the minute after which
// SDKs kill a credential_process.
const patience = 8 * time.Second

var (
	errNotFound = keyring.ErrNotFound
	errTimeout  = errors.New("keep: the keyring took too long")
)

// A ring is the keyring of an operating system.
type ring interface {
	// Near reports whether asking is worth it, without asking.
	Near(env func(string) string) bool
	Get(service, user string) (string, error)
	Set(service, user, text string) error
	Delete(service, user string) error
}

// system is the real keyring: Keychain, Credential Manager or Secret Service.
type system struct{}

// Near is false on a Linux without a session bus: the library would go
// looking for one, and start one that nobody unlocks.
func (system) Near(env func(string) string) bool {
	switch runtime.GOOS {
	case "darwin", "windows":
		return true
	}
	bus := env("DBUS_SESSION_BUS_ADDRESS")
	return bus != "" && !strings.HasPrefix(bus, "autolaunch:") && bus != "disabled:"
}

func (system) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (system) Set(service, user, text string) error     { return keyring.Set(service, user, text) }
func (system) Delete(service, user string) error        { return keyring.Delete(service, user) }

// ask calls the keyring, for no longer than patience. One that failed is not
// asked again by this process.
func (s *Store) ask(call func(ring) (string, error)) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return "", s.down
	}
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := call(s.ring)
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		if a.err != nil && !errors.Is(a.err, errNotFound) {
			s.down = a.err
		}
		return a.text, a.err
	case <-time.After(patience):
		s.down = errTimeout
		return "", s.down
	}
}
