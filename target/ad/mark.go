package ad

import (
	"crypto/rand"
	"strconv"
	"strings"
)

// markAttr is the attribute that holds our mark. Every user of the domain can
// read it, so it holds an id of ours and nothing else.
const markAttr = "info"

const markPrefix = "jitney:"

// The phases that a mark tells of. Only clean says that the whole clean-up was
// done, because it is written in one change with the second password reset.
const (
	phaseLive   = "live"
	phaseEnding = "ending"
	phaseClean  = "clean"
)

// A mark says whose account it is and what was done to it last. Its number
// rises with every change, so that a domain controller that has not heard of
// the last one can be told; its nonce makes it a fencing token: a change that
// names the mark it read fails once somebody else has written another.
type mark struct {
	id    string // Account.ID
	phase string
	seq   int64
	nonce string
}

// String is the mark as the directory holds it.
func (m mark) String() string {
	return markPrefix + m.id + ":" + m.phase + ":" + strconv.FormatInt(m.seq, 10) + ":" + m.nonce
}

// next is the mark of the following change, which is at least number seq.
func (m mark) next(phase string, seq int64) mark {
	return mark{id: m.id, phase: phase, seq: max(m.seq+1, seq), nonce: strings.ToLower(rand.Text()[:8])}
}

// parseMark reads a mark; ok is false if s is none of ours.
func parseMark(s string) (m mark, ok bool) {
	rest, ok := strings.CutPrefix(s, markPrefix)
	parts := strings.Split(rest, ":")
	if !ok || len(parts) != 4 || !validID(parts[0]) || !validID(parts[3]) {
		return mark{}, false
	}
	seq, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || seq < 0 {
		return mark{}, false
	}
	if parts[1] != phaseLive && parts[1] != phaseEnding && parts[1] != phaseClean {
		return mark{}, false
	}
	return mark{id: parts[0], phase: parts[1], seq: seq, nonce: parts[3]}, true
}

// validID reports whether s can be one of our ids: it needs no escaping anywhere.
func validID(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}
