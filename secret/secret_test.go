package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const canary = "Kestrel-91-canary"

func TestTextNeverShowsItself(t *testing.T) {
	type holder struct {
		Name string
		In   struct{ Password Text }
		Ptr  *Text
	}
	text := New(canary)
	var h holder
	h.In.Password, h.Ptr = text, &text
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%t"} {
		fmt.Fprintf(&out, verb, text)
		fmt.Fprintf(&out, verb, h)
		fmt.Fprintf(&out, verb, &h)
		fmt.Fprintf(&out, verb, []Text{text})
		fmt.Fprintf(&out, verb, map[string]Text{"a": text})
	}
	js, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(js)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "p", text, "h", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "p", text, "h", h)
	fmt.Fprint(&out, fmt.Errorf("failed with %v: %w", text, errors.New("no")))
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("shown: %s", out.String())
		}
	}
	if _, err := text.Value(); err == nil {
		t.Error("a Text went into a database")
	}
	if !text.Equal(New(canary)) || text.Equal(New("x")) || text.Reveal() != canary || !(Text{}).IsZero() {
		t.Error("Text does not hold what it should")
	}
}

func TestPassword(t *testing.T) {
	seen := map[string]bool{}
	counts := map[rune]int{}
	for range 20_000 {
		p := Password(20).Reveal()
		if len(p) != 20 || seen[p] {
			t.Fatalf("length %d, seen %v", len(p), seen[p])
		}
		seen[p] = true
		for _, class := range []string{lower, upper, digits, signs} {
			if !strings.ContainsAny(p, class) {
				t.Fatal("a class is missing")
			}
		}
		if strings.ContainsAny(p, `0Oo1lI|'"\ `+"`$&;<>") {
			t.Fatal("a character that is easily mistaken or mistyped")
		}
		for _, r := range p[1:] {
			counts[r]++
		}
	}
	mean := 20_000 * 19 / len(lower+upper+digits+signs)
	for r, n := range counts {
		if n < mean*3/4 || n > mean*3/2 { // the rarer classes are a little more frequent, as every class must be there
			t.Errorf("%q %d times, about %d expected", r, n, mean)
		}
	}
	if got := len(Password(3).Reveal()); got != MinPassword {
		t.Errorf("length %d", got)
	}
}

// drawer keeps data keys in memory and can break before any write.
type drawer struct {
	keys   map[string]DataKey
	broken int // writes until it breaks; -1 never
}

var errBroken = errors.New("broken")

func (d *drawer) write() error {
	if d.broken == 0 {
		return errBroken
	}
	d.broken--
	return nil
}

func (d *drawer) DataKey(_ context.Context, id string) (DataKey, error) {
	k, ok := d.keys[id]
	if !ok {
		return k, errors.New("no such key")
	}
	return k, nil
}

func (d *drawer) CustomerKey(_ context.Context, customer string) (DataKey, bool, error) {
	for _, k := range d.keys {
		if k.Customer == customer {
			return k, true, nil
		}
	}
	return DataKey{}, false, nil
}

func (d *drawer) AddDataKey(ctx context.Context, k DataKey) (DataKey, error) {
	if old, ok, _ := d.CustomerKey(ctx, k.Customer); ok {
		return old, nil
	}
	if err := d.write(); err != nil {
		return k, err
	}
	d.keys[k.ID] = k
	return k, nil
}

func (d *drawer) WrappedByOther(_ context.Context, by string) (keys []DataKey, err error) {
	for _, k := range d.keys {
		if k.WrappedBy != by {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func (d *drawer) Rewrap(_ context.Context, k DataKey, was string) error {
	if err := d.write(); err != nil {
		return err
	}
	if d.keys[k.ID].WrappedBy != was {
		return errors.New("changed meanwhile")
	}
	d.keys[k.ID] = k
	return nil
}

func keyfile(t *testing.T, path string) *Keyfile {
	t.Helper()
	f, err := OpenKeyfile(path, func() (string, error) { return "PRIVATE+KEY+test", nil })
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSealedOpensOnlyInItsPlace(t *testing.T) {
	ctx := t.Context()
	s := NewSealer(keyfile(t, filepath.Join(t.TempDir(), "keys")), &drawer{keys: map[string]DataKey{}, broken: -1})
	place := Place{"credentials", "a/1", "sealed", 1}
	sealed, err := s.Seal(ctx, "aviary", place, New(canary))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte(canary)) {
		t.Error("not sealed")
	}
	if got, err := s.Open(ctx, "aviary", place, sealed); err != nil || got.Reveal() != canary {
		t.Errorf("open: %v", err)
	}
	for name, p := range map[string]Place{
		"another row":     {"credentials", "a/2", "sealed", 1},
		"another column":  {"credentials", "a/1", "other", 1},
		"another version": {"credentials", "a/1", "sealed", 2},
		"shifted parts":   {"credentialsa", "/1", "sealed", 1},
	} {
		if _, err := s.Open(ctx, "aviary", p, sealed); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Open(ctx, "harbour", place, sealed); err == nil {
		t.Error("opened for another customer")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := s.Open(ctx, "aviary", place, sealed); err == nil {
		t.Error("opened although changed")
	}
}

func TestRotationSurvivesAKillAtEveryWrite(t *testing.T) {
	for kill := 0; kill <= 4; kill++ {
		t.Run(fmt.Sprint("before write ", kill), func(t *testing.T) {
			ctx := t.Context()
			path := filepath.Join(t.TempDir(), "keys")
			d := &drawer{keys: map[string]DataKey{}, broken: -1}
			place := Place{"t", "r", "c", 1}
			sealed := map[string][]byte{}
			s := NewSealer(keyfile(t, path), d)
			for _, c := range []string{"a", "b", "c"} {
				var err error
				if sealed[c], err = s.Seal(ctx, c, place, New(canary+c)); err != nil {
					t.Fatal(err)
				}
			}
			d.broken = kill
			if _, err := s.Rotate(ctx); kill < 3 != errors.Is(err, errBroken) {
				t.Fatalf("rotate: %v", err)
			}
			d.broken = -1
			s = NewSealer(keyfile(t, path), d) // a new process
			if kill < 3 {
				if _, err := s.Retire(ctx); err == nil {
					t.Fatal("retired a key that is needed")
				}
				if n, err := s.Rotate(ctx); err != nil || n != 3-kill {
					t.Fatalf("finished %d: %v", n, err)
				}
			}
			if retired, err := s.Retire(ctx); err != nil || len(retired) != 1 || len(s.WrapKeys()) != 1 {
				t.Fatalf("retired %v, left %v: %v", retired, s.WrapKeys(), err)
			}
			s = NewSealer(keyfile(t, path), d)
			for c, blob := range sealed {
				if got, err := s.Open(ctx, c, place, blob); err != nil || got.Reveal() != canary+c {
					t.Errorf("customer %s: %v", c, err)
				}
			}
		})
	}
}

func TestARunningServerFollowsARotation(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "keys")
	d := &drawer{keys: map[string]DataKey{}, broken: -1}
	server, command := NewSealer(keyfile(t, path), d), NewSealer(keyfile(t, path), d)
	place := Place{"t", "r", "c", 1}
	sealed, err := server.Seal(ctx, "a", place, New(canary))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command.Rotate(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := command.Retire(ctx); err != nil {
		t.Fatal(err)
	}
	later, err := server.Seal(ctx, "b", place, New(canary)) // needs a new data key
	if err != nil {
		t.Fatal(err)
	}
	for c, blob := range map[string][]byte{"a": sealed, "b": later} {
		if _, err := NewSealer(keyfile(t, path), d).Open(ctx, c, place, blob); err != nil {
			t.Errorf("customer %s: %v", c, err)
		}
	}
}

func TestKeyfile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	keyfile(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v: %v", info.Mode(), err)
	}
	first, second := keyfile(t, path), keyfile(t, path)
	if first.WrapKeys()[0] != second.WrapKeys()[0] || second.SigningKey() != "PRIVATE+KEY+test" {
		t.Error("the second start made other keys")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyfile(path, nil); err == nil {
		t.Error("a file that others may read was accepted")
	}
	text, _ := os.ReadFile(path)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, credentialName), text, 0o440); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	handed, err := OpenKeyfile(filepath.Join(t.TempDir(), "none"), nil)
	if err != nil || handed.WrapKeys()[0] != first.WrapKeys()[0] {
		t.Fatalf("credential of the service manager: %v", err)
	}
	if _, err := NewSealer(handed, &drawer{keys: map[string]DataKey{}, broken: -1}).Rotate(t.Context()); err == nil {
		t.Error("rotated keys that cannot be changed here")
	}
}
