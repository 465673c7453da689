package audit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"jitney/access"
)

// An Entry is a record as it is stored and hashed.
type Entry struct {
	access.Record
	Salt []byte // random, so that Personal does not give away what it hides
	// Personal is a hash of what may have to be erased one day: who did it, the
	// text and the data. It goes into the tree in their place.
	Personal []byte
	Erased   bool // actor, text, data and salt are gone; Personal stays
}

// NewEntry makes the entry of an event that happens now.
func NewEntry(e access.Event) Entry {
	salt := make([]byte, 16)
	rand.Read(salt)
	entry := Entry{Record: access.Record{ID: strings.ToLower(rand.Text()), Event: e, Seq: -1}, Salt: salt}
	entry.Personal = entry.personal()
	return entry
}

// hasher writes fields so that no two lists of fields give the same bytes.
type hasher struct{ bytes.Buffer }

func (h *hasher) field(b []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(b)))
	h.Write(n[:])
	h.Write(b)
}

func (h *hasher) fields(texts ...string) {
	for _, s := range texts {
		h.field([]byte(s))
	}
}

func (e Entry) personal() []byte {
	var h hasher
	h.field(e.Salt)
	h.fields(e.Actor, e.Text)
	keys := make([]string, 0, len(e.Data))
	for k := range e.Data {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		h.fields(k, e.Data[k])
	}
	sum := sha256.Sum256(h.Bytes())
	return sum[:]
}

// Leaf is the hash of e in the tree. It does not depend on Seq, which is e's
// place in the tree and thereby hashed too.
func (e Entry) Leaf() tlog.Hash {
	var h hasher
	h.fields("jitney audit 1", e.ID)
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(e.At.UnixMicro()))
	h.field(at[:])
	h.fields(e.Kind, e.Customer, e.Grant, e.Subject)
	h.field(e.Personal)
	return tlog.RecordHash(h.Bytes())
}

// intact reports whether the readable part of e is what its hash was made from.
func (e Entry) intact() bool { return e.Erased || bytes.Equal(e.Personal, e.personal()) }
