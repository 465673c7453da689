package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"jitney/access"
)

// exportHeader is the first line of an export.
type exportHeader struct {
	Format     string `json:"format"`
	Checkpoint string `json:"checkpoint"`
	PublicKey  string `json:"public_key"` // for convenience; who verifies uses the one they trust
}

const exportFormat = "jitney-audit-1"

// exportLine is one record of an export.
type exportLine struct {
	Seq      int64             `json:"seq"`
	ID       string            `json:"id"`
	At       time.Time         `json:"at"`
	Kind     string            `json:"kind"`
	Actor    string            `json:"actor"`
	Customer string            `json:"customer,omitempty"`
	Grant    string            `json:"grant,omitempty"`
	Subject  string            `json:"subject,omitempty"`
	Text     string            `json:"text"`
	Data     map[string]string `json:"data,omitempty"`
	Salt     []byte            `json:"salt"`
	Personal []byte            `json:"personal"`
	Erased   bool              `json:"erased,omitempty"`
}

// Export writes the sealed log as NDJSON: a line with a fresh signed
// checkpoint, then a line a record.
func Export(ctx context.Context, w io.Writer, b Book, signing string) error {
	c, err := Current(ctx, b)
	if err != nil {
		return err
	}
	signed, err := Sign(c, signing)
	if err != nil {
		return err
	}
	public, err := PublicKey(signing)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	if err := out.Encode(exportHeader{exportFormat, string(signed), public}); err != nil {
		return err
	}
	src := &bookSource{ctx: ctx, book: b, end: c.Size}
	for n := int64(0); n < c.Size; n++ {
		e, err := src.Next()
		if err != nil {
			return fmt.Errorf("export record %d: %w", n, err)
		}
		if err := out.Encode(exportLine{e.Seq, e.ID, e.At.UTC(), e.Kind, e.Actor, e.Customer, e.Grant, e.Subject,
			e.Text, e.Data, e.Salt, e.Personal, e.Erased}); err != nil {
			return err
		}
	}
	return nil
}

// An Imported is an export that is being read.
type Imported struct {
	Checkpoint Checkpoint // verified with the public key that was given
	lines      *bufio.Scanner
	line       int
}

// Import begins to read an export. The checkpoint in it must be signed by
// publicKey; the key in the export itself is not trusted.
func Import(r io.Reader, publicKey string) (*Imported, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	if !lines.Scan() {
		return nil, errors.Join(errors.New("the export is empty"), lines.Err())
	}
	var head exportHeader
	if err := json.Unmarshal(lines.Bytes(), &head); err != nil || head.Format != exportFormat {
		return nil, errors.New("this is not an export of a jitney audit log")
	}
	c, err := ReadCheckpoint([]byte(head.Checkpoint), publicKey)
	if err != nil {
		return nil, err
	}
	return &Imported{Checkpoint: c, lines: lines, line: 1}, nil
}

// Next implements [Source].
func (i *Imported) Next() (Entry, error) {
	if !i.lines.Scan() {
		if err := i.lines.Err(); err != nil {
			return Entry{}, err
		}
		return Entry{}, io.EOF
	}
	i.line++
	var l exportLine
	if err := json.Unmarshal(i.lines.Bytes(), &l); err != nil {
		return Entry{}, fmt.Errorf("line %d of the export is not a record", i.line)
	}
	event := access.Event{At: l.At, Kind: l.Kind, Actor: l.Actor, Customer: l.Customer, Grant: l.Grant, Subject: l.Subject, Text: l.Text, Data: l.Data}
	return Entry{Record: access.Record{ID: l.ID, Event: event, Seq: l.Seq}, Salt: l.Salt, Personal: l.Personal, Erased: l.Erased}, nil
}
