package secret

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// shared is a drawer that several processes use at once.
type shared struct {
	mu sync.Mutex
	drawer
}

func (s *shared) DataKey(ctx context.Context, id string) (DataKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drawer.DataKey(ctx, id)
}

func (s *shared) CustomerKey(ctx context.Context, customer string) (DataKey, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drawer.CustomerKey(ctx, customer)
}

func (s *shared) AddDataKey(ctx context.Context, k DataKey) (DataKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drawer.AddDataKey(ctx, k)
}

func (s *shared) WrappedByOther(ctx context.Context, by string) ([]DataKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drawer.WrappedByOther(ctx, by)
}

func (s *shared) Rewrap(ctx context.Context, k DataKey, was string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drawer.Rewrap(ctx, k, was)
}

func TestNoKeyIsLostHoweverManyRotateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	keyfile(t, path)
	d := &shared{drawer: drawer{keys: map[string]DataKey{}, broken: -1}}
	place := Place{"t", "r", "c", 1}
	var mu sync.Mutex
	sealed := map[string][]byte{}
	var wg sync.WaitGroup
	for p := range 4 { // each as another process, with its own memory
		s := NewSealer(keyfile(t, path), d)
		wg.Go(func() {
			for i := range 12 {
				customer := fmt.Sprint(p, "/", i)
				blob, err := s.Seal(t.Context(), customer, place, New(canary+customer))
				if err != nil {
					t.Errorf("seal: %v", err)
					return
				}
				mu.Lock()
				sealed[customer] = blob
				mu.Unlock()
				if _, err := s.Rotate(t.Context()); err != nil {
					t.Errorf("rotate: %v", err)
				}
				_, _ = s.Retire(t.Context()) // refused while another one rotates
			}
		})
	}
	wg.Wait()
	s := NewSealer(keyfile(t, path), d)
	for _, customer := range slices.Sorted(maps.Keys(sealed)) {
		if got, err := s.Open(t.Context(), customer, place, sealed[customer]); err != nil || got.Reveal() != canary+customer {
			t.Errorf("customer %s: %v", customer, err)
		}
	}
}

func TestALockThatIsHeldIsWaitedForNoLongerThanAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	s := NewSealer(keyfile(t, path), &drawer{keys: map[string]DataKey{}, broken: -1})
	unlock, err := lock(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Rotate(ctx); err == nil {
		t.Error("rotated while a data key was being made")
	}
	unlock()
	if _, err := s.Rotate(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatACrashLeavesBesideTheKeyFileDoesNoHarm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	for _, name := range []string{path + ".new", path + ".abcdefgh"} {
		if err := os.WriteFile(name, []byte("wrap half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := keyfile(t, path)
	d := &drawer{keys: map[string]DataKey{}, broken: -1}
	s := NewSealer(first, d)
	blob, err := s.Seal(t.Context(), "a", Place{"t", "r", "c", 1}, New(canary))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Rotate(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d: %v", n, err)
	}
	again := keyfile(t, path)
	if again.WrapKeys()[1] != first.WrapKeys()[0] || len(again.WrapKeys()) != 2 {
		t.Errorf("keys %v", again.WrapKeys())
	}
	if _, err := NewSealer(again, d).Open(t.Context(), "a", Place{"t", "r", "c", 1}, blob); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("after a rotation: %v %v", info.Mode(), err)
	}
}

func TestOneOfManyFirstStartsMakesTheKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() {
			f, err := OpenKeyfile(path, func() (string, error) { return "PRIVATE+KEY+test", nil })
			if err != nil {
				t.Errorf("start %d: %v", i, err)
				return
			}
			ids[i] = f.WrapKeys()[0]
		})
	}
	wg.Wait()
	if got := slices.Compact(slices.Sorted(slices.Values(ids))); len(got) != 1 {
		t.Errorf("keys %v", got)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
