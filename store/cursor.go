package store

import (
	"slices"
	"sync"
	"time"
)

// A cursor remembers how far the due rows of a SQLite table were looked
// through while some groups were left out, so that thousands of rows of a
// target that is busy or does not answer are not read again for each claim of
// the others. Nothing becomes due before a cursor but by what calls forget,
// or by a clock that was set back: therefore it is forgotten soon anyway.
type cursor struct {
	mu   sync.Mutex
	skip []string // sorted: all rows before at are of these groups, or not due
	at   int64
	made time.Time
}

// cursorLasts is how late a row can become by a clock that was set back.
const cursorLasts = 250 * time.Millisecond

// from reports where to begin when these groups are left out.
func (c *cursor) from(skip []string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.made) > cursorLasts {
		return 0
	}
	for _, g := range c.skip {
		if !slices.Contains(skip, g) {
			return 0
		}
	}
	return c.at
}

// reached says that all rows that were due before at are of these groups, or
// claimed.
func (c *cursor) reached(skip []string, from, at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from == 0 { // all were read, so this one is new; else it is as old as it was
		c.made = time.Now()
	}
	c.skip, c.at = slices.Clone(skip), at
}

// forget makes the next claim read everything, because rows before the cursor
// may be due: of one group, or of any if it is empty.
func (c *cursor) forget(group string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if group == "" || !slices.Contains(c.skip, group) {
		c.made = time.Time{}
	}
}
