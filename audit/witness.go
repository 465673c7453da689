package audit

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// A Memory is what a witness outside the database holds of a log: signed
// checkpoints and, if it kept them, the leaves up to the last of them.
type Memory struct {
	Checkpoints []Checkpoint // by size
	Leaves      []tlog.Hash  // of the first records; none if only checkpoints are known
}

// ReadWitness reads what a [FileSink] kept, or a file with one signed
// checkpoint, and verifies every signature.
func ReadWitness(path, publicKey string) (Memory, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Memory{}, err
	}
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		c, err := ReadCheckpoint(text, publicKey)
		return Memory{Checkpoints: []Checkpoint{c}}, err
	}
	var m Memory
	err = readTestimonies(path, func(t Testimony) error {
		c, err := ReadCheckpoint(t.Signed, publicKey)
		if err != nil {
			return err
		}
		if t.From < 0 || t.From > int64(len(m.Leaves)) || t.From+int64(len(t.Leaves)) != c.Size {
			return fmt.Errorf("the witness file has a gap before record %d", t.From)
		}
		m.Leaves = append(m.Leaves[:t.From], t.Leaves...)
		m.Checkpoints = append(m.Checkpoints, c)
		return nil
	})
	return m, err
}
