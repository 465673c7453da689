package secret

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A DataKey is a key that seals the secrets of one customer, as the database
// keeps it: wrapped by a key that is not in the database.
type DataKey struct {
	ID        string
	Customer  string // empty for what belongs to no customer
	WrappedBy string // name of the wrapping key
	Wrapped   []byte
	CreatedAt time.Time
}

// DataKeys is the part of the store that keeps data keys. There is one for
// each customer; deleting it makes all of that customer's secrets unreadable.
type DataKeys interface {
	DataKey(ctx context.Context, id string) (DataKey, error)
	// CustomerKey reports false if the customer has none yet.
	CustomerKey(ctx context.Context, customer string) (DataKey, bool, error)
	// AddDataKey stores k unless its customer has one already, and reports the
	// one that the customer then has.
	AddDataKey(ctx context.Context, k DataKey) (DataKey, error)
	// WrappedByOther lists the keys that are not wrapped by the named one.
	WrappedByOther(ctx context.Context, wrappedBy string) ([]DataKey, error)
	// Rewrap replaces how k is wrapped, if it is still wrapped by was.
	Rewrap(ctx context.Context, k DataKey, was string) error
}

// A Sealer seals secrets: AES-256-GCM under the customer's data key, bound to
// one place in the database.
type Sealer struct {
	keys DataKeys

	mu   sync.Mutex
	file *Keyfile
	open map[string]cipher.AEAD // data keys by ID
}

// NewSealer returns a Sealer with the keys of file and the data keys of keys.
func NewSealer(file *Keyfile, keys DataKeys) *Sealer {
	return &Sealer{keys: keys, file: file, open: map[string]cipher.AEAD{}}
}

const sealedFormat = "1"

// Seal encrypts text for one place of one customer.
func (s *Sealer) Seal(ctx context.Context, customer string, place Place, text Text) ([]byte, error) {
	id, aead, err := s.customerKey(ctx, customer)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	head := sealedFormat + " " + id + " "
	return aead.Seal([]byte(head), nil, []byte(text.Reveal()), place.bound(customer)), nil
}

// Open decrypts what Seal made for the same place of the same customer.
func (s *Sealer) Open(ctx context.Context, customer string, place Place, sealed []byte) (Text, error) {
	parts := strings.SplitN(string(sealed), " ", 3)
	if len(parts) != 3 || parts[0] != sealedFormat {
		return Text{}, errors.New("open secret: not in a form that this version knows")
	}
	aead, err := s.dataKey(ctx, parts[1])
	if err != nil {
		return Text{}, fmt.Errorf("open secret: %w", err)
	}
	plain, err := aead.Open(nil, nil, []byte(parts[2]), place.bound(customer))
	if err != nil {
		return Text{}, errors.New("open secret: it was sealed for another place, or changed")
	}
	return New(string(plain)), nil
}

func (s *Sealer) customerKey(ctx context.Context, customer string) (id string, aead cipher.AEAD, err error) {
	k, ok, err := s.keys.CustomerKey(ctx, customer)
	if err != nil {
		return "", nil, err
	}
	if !ok {
		if k, err = s.newDataKey(ctx, customer); err != nil {
			return "", nil, err
		}
	}
	aead, err = s.unwrap(k)
	return k.ID, aead, err
}

// newDataKey makes a customer's key while nobody rotates or retires the key
// that wraps it.
func (s *Sealer) newDataKey(ctx context.Context, customer string) (DataKey, error) {
	if f := s.keyfile(); !f.Fixed {
		unlock, err := lock(ctx, f.Path, false)
		if err != nil {
			return DataKey{}, fmt.Errorf("lock the key file: %w", err)
		}
		defer unlock()
	}
	s.mu.Lock()
	err := s.reread() // a rotation elsewhere may have made another key the one in use
	first := s.file.wrap[0]
	s.mu.Unlock()
	if err != nil {
		return DataKey{}, err
	}
	key := make([]byte, 32)
	rand.Read(key)
	k := DataKey{ID: strings.ToLower(rand.Text()), Customer: customer, WrappedBy: first.id, CreatedAt: time.Now().UTC()}
	if k.Wrapped, err = wrap(first.key, k, key); err != nil {
		return DataKey{}, err
	}
	return s.keys.AddDataKey(ctx, k)
}

func (s *Sealer) dataKey(ctx context.Context, id string) (cipher.AEAD, error) {
	s.mu.Lock()
	aead, ok := s.open[id]
	s.mu.Unlock()
	if ok {
		return aead, nil
	}
	k, err := s.keys.DataKey(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.unwrap(k)
}

func (s *Sealer) unwrap(k DataKey) (cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if aead, ok := s.open[k.ID]; ok {
		return aead, nil
	}
	key, err := s.unwrapKey(k)
	if err != nil {
		return nil, err
	}
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	s.open[k.ID] = aead
	return aead, nil
}

// unwrapKey is called with s.mu held.
func (s *Sealer) unwrapKey(k DataKey) ([]byte, error) {
	by, ok := s.file.find(k.WrappedBy)
	if !ok {
		if err := s.reread(); err != nil {
			return nil, err
		}
		if by, ok = s.file.find(k.WrappedBy); !ok {
			return nil, fmt.Errorf("the key file lacks the wrapping key %s; restore it from its copy", k.WrappedBy)
		}
	}
	aead, err := gcm(by)
	if err != nil {
		return nil, err
	}
	key, err := aead.Open(nil, nil, k.Wrapped, wrapPlace(k))
	if err != nil {
		return nil, fmt.Errorf("data key %s does not open with the wrapping key %s", k.ID, k.WrappedBy)
	}
	return key, nil
}

// reread reads the key file again, which another process may have changed. It
// is called with s.mu held.
func (s *Sealer) reread() error {
	file, err := readKeyfile(s.file.Path, s.file.Fixed)
	if err != nil {
		return err
	}
	s.file = file
	return nil
}

func wrap(by []byte, k DataKey, key []byte) ([]byte, error) {
	aead, err := gcm(by)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, key, wrapPlace(k)), nil
}

func wrapPlace(k DataKey) []byte {
	return Place{Table: "data_keys", Row: k.ID, Column: "wrapped"}.bound(k.Customer)
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
