package secret

import (
	"context"
	"fmt"
	"slices"
)

// Rotate puts a new wrapping key in use and wraps every data key by it. It may
// be cut off at any point and called again: an unfinished rotation is
// finished, not begun anew. It reports how many data keys it wrapped.
//
// The key before stays in the file, so that a running server that has not
// noticed yet goes on working, until [Sealer.Retire]. Servers on other machines
// have their own copies of the file: copy the new one to them before that.
func (s *Sealer) Rotate(ctx context.Context) (int, error) {
	unlock, err := s.alone(ctx)
	if err != nil {
		return 0, fmt.Errorf("lock the key file: %w", err)
	}
	defer unlock()
	if err := s.reread(); err != nil {
		return 0, err
	}
	unfinished, err := s.keys.WrappedByOther(ctx, s.file.wrap[0].id)
	if err != nil {
		return 0, err
	}
	if len(unfinished) == 0 {
		next := *s.file
		next.wrap = append([]wrapKey{newWrapKey()}, s.file.wrap...)
		if err := next.save(); err != nil {
			return 0, fmt.Errorf("add wrapping key: %w", err)
		}
		if err := s.reread(); err != nil {
			return 0, err
		}
		if unfinished, err = s.keys.WrappedByOther(ctx, s.file.wrap[0].id); err != nil {
			return 0, err
		}
	}
	return s.rewrap(ctx, unfinished)
}

func (s *Sealer) rewrap(ctx context.Context, keys []DataKey) (done int, err error) {
	first := s.file.wrap[0]
	for _, k := range keys {
		key, err := s.unwrapKey(k)
		if err != nil {
			return done, err
		}
		was := k.WrappedBy
		k.WrappedBy = first.id
		if k.Wrapped, err = wrap(first.key, k, key); err != nil {
			return done, err
		}
		if err := s.keys.Rewrap(ctx, k, was); err != nil {
			return done, fmt.Errorf("wrap data key %s anew: %w", k.ID, err)
		}
		done++
	}
	return done, nil
}

// Retire removes the wrapping keys that no data key needs any more. It refuses
// while one does.
func (s *Sealer) Retire(ctx context.Context) (retired []string, err error) {
	unlock, err := s.alone(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the key file: %w", err)
	}
	defer unlock()
	if err := s.reread(); err != nil {
		return nil, err
	}
	needed, err := s.keys.WrappedByOther(ctx, s.file.wrap[0].id)
	if err != nil {
		return nil, err
	}
	if len(needed) > 0 {
		return nil, fmt.Errorf("%d data keys are still wrapped by an old key; rotate first", len(needed))
	}
	retired = s.file.WrapKeys()[1:]
	if len(retired) == 0 {
		return nil, nil
	}
	next := *s.file
	next.wrap = slices.Clone(s.file.wrap[:1])
	if err := next.save(); err != nil {
		return nil, fmt.Errorf("retire wrapping keys: %w", err)
	}
	return retired, s.reread()
}

// alone keeps every other change of the key file away, also by other
// processes, and holds s.mu. The lock of the file comes first, everywhere.
func (s *Sealer) alone(ctx context.Context) (unlock func(), err error) {
	release := func() {}
	if !s.keyfile().Fixed {
		if release, err = lock(ctx, s.keyfile().Path, true); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	return func() { s.mu.Unlock(); release() }, nil
}

func (s *Sealer) keyfile() *Keyfile {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file
}

// WrapKeys lists the names of the wrapping keys, the one in use first.
func (s *Sealer) WrapKeys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.WrapKeys()
}
