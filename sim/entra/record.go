package entra

import (
	"iter"
	"math/rand/v2"
	"slices"
	"time"
)

// authority is the number of the replica that has every write at once.
const authority = -1

// A version is one state of an object: nil if it is gone. seen says from when on each replica knows of it; the last
// one is the index of advanced queries.
type version[T any] struct {
	value *T
	seen  []time.Time
}

// A table holds objects of one kind with as much of their past as some replica still shows. Values are never changed
// once put.
type table[T any] struct {
	rows  map[string][]version[T]
	order []string
	puts  int
}

// put makes value the newest state of the object; nil removes it.
func (tb *table[T]) put(id string, value *T, seen []time.Time) {
	if tb.rows == nil {
		tb.rows = map[string][]version[T]{}
	}
	past, known := tb.rows[id]
	if !known {
		tb.order = append(tb.order, id)
	}
	tb.rows[id] = append(past, version[T]{value, seen})
}

// at is an object as a replica shows it now; nil if it shows none.
func (tb *table[T]) at(id string, replica int, now time.Time) *T {
	past := tb.rows[id]
	if len(past) == 0 {
		return nil
	}
	if replica == authority {
		return past[len(past)-1].value
	}
	for n := len(past) - 1; n >= 0; n-- {
		if !past[n].seen[replica].After(now) {
			return past[n].value
		}
	}
	return nil
}

// all are the objects that a replica shows now, in the order in which they were made.
func (tb *table[T]) all(replica int, now time.Time) iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for _, id := range tb.order {
			if v := tb.at(id, replica, now); v != nil && !yield(id, v) {
				return
			}
		}
	}
}

// tidy forgets what no replica shows any more. It does the work only now and then.
func (tb *table[T]) tidy(now time.Time) {
	if tb.puts++; tb.puts%128 != 0 {
		return
	}
	everywhere := func(v version[T]) bool {
		return !slices.ContainsFunc(v.seen, func(at time.Time) bool { return at.After(now) })
	}
	tb.order = slices.DeleteFunc(tb.order, func(id string) bool {
		past := tb.rows[id]
		for len(past) > 1 && everywhere(past[len(past)-1]) {
			past = past[len(past)-1:]
		}
		tb.rows[id] = past
		gone := len(past) == 1 && past[0].value == nil && everywhere(past[0])
		if gone {
			delete(tb.rows, id)
		}
		return gone
	})
}

// draw takes one span from d.
func (d Delay) draw(dice *rand.Rand) time.Duration {
	switch {
	case len(d.List) > 0:
		return d.List[dice.IntN(len(d.List))]
	case d.Max > d.Min:
		return d.Min + time.Duration(dice.Int64N(int64(d.Max-d.Min)+1))
	}
	return d.Min
}

// spread draws when each replica will know of a change made now on replica first, and the index last of all.
func (t *store) spread(first int, now time.Time) []time.Time {
	n := t.cloud.opt.Replicas
	seen := make([]time.Time, n+1)
	for i := range n {
		seen[i] = now
		if i != first {
			seen[i] = now.Add(t.cloud.opt.Delays.Objects.draw(t.dice))
		}
	}
	seen[n] = now.Add(t.cloud.opt.Delays.Index.draw(t.dice))
	return seen
}
