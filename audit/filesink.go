package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// A FileSink keeps testimonies in a file that only grows, one JSON object a
// line. It belongs on another disk or machine than the database.
type FileSink struct {
	Path string

	mu    sync.Mutex
	known bool
	size  int64
}

type testimonyLine struct {
	Checkpoint string `json:"checkpoint"`
	From       int64  `json:"from"`
	Leaves     []byte `json:"leaves,omitempty"`
}

// Size implements [Sink].
func (f *FileSink) Size(context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known {
		return f.size, nil
	}
	err := readTestimonies(f.Path, func(t Testimony) error {
		f.size = t.From + int64(len(t.Leaves))
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	f.known = true
	return f.size, nil
}

// Keep implements [Sink].
func (f *FileSink) Keep(_ context.Context, t Testimony) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := testimonyLine{Checkpoint: string(t.Signed), From: t.From}
	for _, h := range t.Leaves {
		line.Leaves = append(line.Leaves, h[:]...)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("witness file: %w", err)
	}
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			text = append([]byte{'\n'}, text...) // a crash cut the last line off; keep ours apart from it
		}
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		f.known = false // a part may have been written; read it again
		return fmt.Errorf("witness file: %w", err)
	}
	f.size = t.From + int64(len(t.Leaves))
	return nil
}

// readTestimonies calls fn with each testimony in the file. A last line that
// was cut off while it was written is left out.
func readTestimonies(path string, fn func(Testimony) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 256<<20)
	for n := 1; lines.Scan(); n++ {
		var line testimonyLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil || len(line.Leaves)%tlog.HashSize != 0 {
			continue // the next line begins where the last whole one ended, so a gap shows by itself
		}
		t := Testimony{Signed: []byte(line.Checkpoint), From: line.From}
		for i := 0; i < len(line.Leaves); i += tlog.HashSize {
			t.Leaves = append(t.Leaves, tlog.Hash(line.Leaves[i:i+tlog.HashSize]))
		}
		if err := fn(t); err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	return lines.Err()
}
