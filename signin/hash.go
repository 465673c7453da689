package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"jitney/secret"
)

// A cost is what one argon2id hash takes. OWASP's password storage cheat sheet
// names 19 MiB, 2 passes, 1 lane as equal to the larger sets; the small one lets
// a server with little memory check passwords side by side.
type cost struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

const (
	hashMemory, hashPasses, hashLanes = 19 << 10, 2, 1
	saltSize, hashSize                = 16, 32

	// Together they bound what a flood of sign-ins may take: memory for so many
	// hashes at once, and so many requests that wait for their turn.
	hashesAtOnce = 2
	hashesWait   = 32
)

var errBusy = errors.New("too many passwords are being checked")

// A hasher makes and checks password hashes, a few at a time.
type hasher struct {
	cost    cost
	slots   chan struct{}
	waiting atomic.Int32
	decoy   string // hash of a password that nobody knows
}

func newHasher(c cost) *hasher {
	h := &hasher{cost: c, slots: make(chan struct{}, hashesAtOnce)}
	h.decoy = h.make(secret.New(rand.Text()))
	return h
}

// turn waits for a slot and reports what gives it back.
func (h *hasher) turn(ctx context.Context) (release func(), err error) {
	if h.waiting.Add(1) > hashesAtOnce+hashesWait {
		h.waiting.Add(-1)
		return nil, errBusy
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots; h.waiting.Add(-1) }, nil
	case <-ctx.Done():
		h.waiting.Add(-1)
		return nil, ctx.Err()
	}
}

// Hash reports the hash of password in the PHC string format.
func (h *hasher) Hash(ctx context.Context, password secret.Text) (string, error) {
	release, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return h.make(password), nil
}

func (h *hasher) make(password secret.Text) string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password.Reveal()), salt, h.cost.passes, h.cost.memory, h.cost.lanes, hashSize)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.memory, h.cost.passes, h.cost.lanes,
		enc.EncodeToString(salt), enc.EncodeToString(sum))
}

// Check reports whether hash was made from password, and whether it should be
// made anew because the cost has changed. An empty hash takes as long as any
// other, and fits nothing.
func (h *hasher) Check(ctx context.Context, hash string, password secret.Text) (fits, outdated bool, err error) {
	release, err := h.turn(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	known := hash != ""
	if !known {
		hash = h.decoy
	}
	c, salt, want, err := readHash(hash)
	if err != nil {
		return false, false, err
	}
	got := argon2.IDKey([]byte(password.Reveal()), salt, c.passes, c.memory, c.lanes, uint32(len(want)))
	same := subtle.ConstantTimeCompare(got, want) == 1
	return same && known, c != h.cost, nil
}

// readHash bounds what it reads, so that no stored text makes a check expensive.
func readHash(hash string) (c cost, salt, sum []byte, err error) {
	parts := strings.Split(hash, "$")
	bad := errors.New("the stored password hash is not argon2id of a cost that this program allows")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.lanes); err != nil {
		return c, nil, nil, bad
	}
	salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err2 != nil || c.memory < 8 || c.memory > 256<<10 || c.passes < 1 || c.passes > 16 || c.lanes < 1 || c.lanes > 16 ||
		len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
		return c, nil, nil, bad
	}
	return c, salt, sum, nil
}
