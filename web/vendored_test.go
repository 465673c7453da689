package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"jitney/access"
)

func TestVendoredFilesAreWhatTheListSays(t *testing.T) {
	list, err := os.ReadFile("static/VENDORED.md")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\S+) \| .* \| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(list), -1) {
		sums[m[1]] = m[2]
	}
	own := map[string]bool{"static/VENDORED.md": true, "static/app.js": true, "static/chevron.svg": true, "static/favicon.svg": true}
	for _, dir := range []string{"static", "icons"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || own[path] {
				return err
			}
			b, err := os.ReadFile(path)
			sum := sha256.Sum256(b)
			if sums[path] != hex.EncodeToString(sum[:]) {
				t.Errorf("%s is not the file in static/VENDORED.md; run npm run build in tools/web", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryIconIsThere(t *testing.T) {
	icons, err := readIcons()
	if err != nil {
		t.Fatal(err)
	}
	for state, b := range stateBadges {
		if icons[b.Icon] == "" {
			t.Errorf("state %s: no icon %q", state, b.Icon)
		}
	}
	for name, f := range flashes {
		if icons[f.Icon] == "" {
			t.Errorf("message %s: no icon %q", name, f.Icon)
		}
	}
	for _, kind := range []string{access.EventSubmitted, access.EventApproved, access.EventVerified, access.EventLost, access.EventStopped, access.EventExtended, access.EventRemoving,
		access.EventOverdue, access.EventEnded, access.EventContinued, access.EventFinding, access.EventTrouble, access.EventRevealed, access.EventReissued, access.EventRetrieved, "note.written", "x"} {
		if s := stepOf(kind); icons[s.Icon] == "" {
			t.Errorf("event %s: no icon %q", kind, s.Icon)
		}
	}
	for _, level := range []string{"ok", "info", "warning", "error"} {
		if icons[findingIcon(level)] == "" {
			t.Errorf("finding %s has no icon", level)
		}
	}
	for name, svg := range icons {
		if !strings.HasPrefix(string(svg), "<svg ") || !strings.HasSuffix(string(svg), "</svg>") || strings.Contains(string(svg), "license") {
			t.Errorf("icon %s is %.80s", name, svg)
		}
	}
}

func TestTimesAsPeopleReadThem(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC) // 23:30 in London
	c := clock{now: now, zone: london}
	for name, tt := range map[string][2]string{
		"nothing yet":                {c.Short(time.Time{}), "–"},
		"today":                      {c.Short(now.Add(-time.Hour)), "22:30"},
		"tomorrow, an hour from now": {c.Short(now.Add(time.Hour)), "Thu 2 Jul 00:30"},
		"another year":               {c.Short(now.AddDate(-1, 0, 0)), "1 Jul 2025 23:30"},
		"with its zone":              {c.Zoned(now), "23:30 Europe/London"},
		"under an hour left":         {c.Left(now.Add(47*time.Minute + 11*time.Second + time.Millisecond)), "47:12"},
		"hours left":                 {c.Left(now.Add(3*time.Hour + 5*time.Minute)), "3:05:00"},
		"nothing left":               {c.Left(now.Add(-time.Minute)), "00:00"},
		"seconds ago":                {c.Ago(now.Add(-12 * time.Second)), "12 s ago"},
		"hours ago":                  {c.Ago(now.Add(-5 * time.Hour)), "5 h ago"},
		"never":                      {c.Ago(time.Time{}), "never"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%s: %q, want %q", name, tt[0], tt[1])
		}
	}
}
