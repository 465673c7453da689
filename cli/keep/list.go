package keep

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"
)

// A SignIn is where somebody is signed in, without the token. A keyring cannot
// be asked what it holds, so it is noted beside it.
type SignIn struct {
	Host      string    `json:"host"` // as Origin reports it
	Login     string    `json:"login"`
	ExpiresAt time.Time `json:"expires_at"`
}

const mostNotes = 100

func noteFile(origin string) string { return "signin-" + Key(origin) + ".json" }

// note notes a sign-in. One that cannot be noted is only not listed.
func (f Folder) note(origin string, t Token) {
	if f == "" {
		return
	}
	if data, err := json.Marshal(SignIn{Host: origin, Login: t.Login, ExpiresAt: t.ExpiresAt.UTC()}); err == nil {
		_ = f.Write(noteFile(origin), data)
	}
}

// SignIns lists where somebody is signed in, by host; if that is nowhere any
// more, where they were. The keyring is not asked.
func (s *Store) SignIns(now time.Time) []SignIn {
	f, err := Dir(s.env)
	if err != nil {
		return nil
	}
	entries, _ := os.ReadDir(string(f))
	var all, live []SignIn
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "signin-") || len(all) == mostNotes {
			continue
		}
		var one SignIn
		data, err := f.Read(e.Name(), mostRecord)
		if err != nil || json.Unmarshal(data, &one) != nil || e.Name() != noteFile(one.Host) {
			continue
		}
		if origin, err := Origin(one.Host); err != nil || origin != one.Host {
			continue
		}
		all = append(all, one)
		if now.Before(one.ExpiresAt) {
			live = append(live, one)
		}
	}
	if len(live) > 0 {
		all = live
	}
	slices.SortFunc(all, func(a, b SignIn) int { return strings.Compare(a.Host, b.Host) })
	return all
}
