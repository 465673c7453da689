package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"jitney/access"
)

// shelf is a Book in memory whose pages a test can change behind its back.
type shelf struct {
	unsealed, sealed []Entry
	chunks           map[int64][]byte
	read             int // chunks
}

func (s *shelf) Size(context.Context) (int64, error) { return int64(len(s.sealed)), nil }

func (s *shelf) Chunk(_ context.Context, n int64) ([]byte, error) {
	s.read++
	return slices.Clone(s.chunks[n]), nil
}

func (s *shelf) Entries(_ context.Context, from int64, limit int) (page []Entry, err error) {
	for _, e := range s.sealed {
		if e.Seq >= from && len(page) < limit {
			page = append(page, e)
		}
	}
	return page, nil
}

func (s *shelf) Seal(ctx context.Context, limit int, fn func(int64, []Entry, ChunkReader) (map[int64][]byte, error)) error {
	some := s.unsealed[:min(limit, len(s.unsealed))]
	chunks, err := fn(int64(len(s.sealed)), some, func(n int64) ([]byte, error) { return s.Chunk(ctx, n) })
	if err != nil {
		return err
	}
	for n, c := range chunks {
		s.chunks[n] = c
	}
	for _, e := range some {
		e.Seq = int64(len(s.sealed))
		s.sealed = append(s.sealed, e)
	}
	s.unsealed = s.unsealed[len(some):]
	return nil
}

// written returns a shelf with n sealed records and its signing key.
func written(t *testing.T, n int) (*shelf, string) {
	t.Helper()
	signing, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{chunks: map[int64][]byte{}}
	write(t, s, n)
	return s, signing
}

func write(t *testing.T, s *shelf, n int) {
	t.Helper()
	for i := range n {
		s.unsealed = append(s.unsealed, NewEntry(access.Event{At: time.Unix(1_800_000_000+int64(i), 0), Kind: access.EventVerified,
			Actor: "jitney", Customer: "c", Grant: fmt.Sprint("g", i), Text: "Read back as usable.", Data: map[string]string{"a": "1", "b": "2"}}))
	}
	if got, err := (&Sealer{Book: s}).Seal(t.Context()); err != nil || got != n {
		t.Fatalf("sealed %d: %v", got, err)
	}
}

func witnessed(t *testing.T, s *shelf, signing, path string) Memory {
	t.Helper()
	n := &Notary{Book: s, Signing: signing, Sinks: []Sink{&FileSink{Path: path}}}
	if err := n.Testify(t.Context()); err != nil {
		t.Fatal(err)
	}
	return remembered(t, signing, path)
}

func remembered(t *testing.T, signing, path string) Memory {
	t.Helper()
	public, err := PublicKey(signing)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadWitness(path, public)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUntouchedLogVerifies(t *testing.T) {
	for _, n := range []int{0, 1, 2, 255, 256, 257, 5000} {
		s, signing := written(t, n)
		path := filepath.Join(t.TempDir(), "witness")
		witnessed(t, s, signing, path)
		write(t, s, 3)
		m := witnessed(t, s, signing, path)
		r, err := VerifyBook(t.Context(), s, m)
		if err != nil || r.Size != int64(n+3) || r.Covered != r.Size {
			t.Errorf("%d records: %+v, %v", n, r, err)
		}
	}
}

// rebuild makes the stored tree fit the entries again, as a careful forger would.
func rebuild(s *shelf) {
	tr := newTree(func(int64) ([]byte, error) { return nil, nil })
	for i, e := range s.sealed {
		if err := tr.add(int64(i), e.Leaf()); err != nil {
			panic(err)
		}
	}
	s.chunks = tr.dirty
}

func TestTampering(t *testing.T) {
	edit := func(s *shelf, n int) {
		e := s.sealed[n]
		e.Text = "Nothing happened."
		e.Personal = e.personal()
		s.sealed[n] = e
	}
	renumber := func(s *shelf) {
		for i := range s.sealed {
			s.sealed[i].Seq = int64(i)
		}
	}
	tests := []struct {
		name   string
		tamper func(s *shelf)
		seq    int64
		what   string
	}{
		{"text edited", func(s *shelf) { s.sealed[70].Text = "Nothing happened." }, 70, "edited"},
		{"actor edited", func(s *shelf) { s.sealed[3].Actor = "somebody else" }, 3, "edited"},
		{"edited with its hash", func(s *shelf) { edit(s, 70) }, 70, "edited"},
		{"edited with the whole tree", func(s *shelf) { edit(s, 70); rebuild(s) }, 70, "edited"},
		{"dropped", func(s *shelf) { s.sealed = slices.Delete(s.sealed, 40, 41) }, 40, "dropped"},
		{"dropped and renumbered", func(s *shelf) { s.sealed = slices.Delete(s.sealed, 40, 41); renumber(s); rebuild(s) }, 40, "edited"},
		{"two swapped", func(s *shelf) {
			s.sealed[10], s.sealed[20] = s.sealed[20], s.sealed[10]
			renumber(s)
			rebuild(s)
		}, 10, "edited"},
		{"two swapped, numbers kept", func(s *shelf) { s.sealed[10], s.sealed[20] = s.sealed[20], s.sealed[10] }, 10, "dropped"},
		{"the end cut off", func(s *shelf) { s.sealed = s.sealed[:90] }, 90, "cut off"},
		{"the end cut off with the tree", func(s *shelf) { s.sealed = s.sealed[:90]; rebuild(s) }, 90, "cut off"},
		{"rolled back, then written anew", func(s *shelf) {
			s.sealed = s.sealed[:90]
			rebuild(s)
			write(t, s, 30)
		}, 90, "edited"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, signing := written(t, 100)
			m := witnessed(t, s, signing, filepath.Join(t.TempDir(), "witness"))
			tt.tamper(s)
			_, err := VerifyBook(t.Context(), s, m)
			f, ok := errors.AsType[*Fault](err)
			if !ok || f.Seq != tt.seq || f.What != tt.what {
				t.Errorf("got %v, want record %d %s", err, tt.seq, tt.what)
			}
		})
	}
}

func TestOnlyACheckpointNamesTheRange(t *testing.T) {
	s, signing := written(t, 50)
	path := filepath.Join(t.TempDir(), "witness")
	witnessed(t, s, signing, path)
	write(t, s, 50)
	m := witnessed(t, s, signing, path)
	m.Leaves = nil
	s.sealed[70].Text = "Nothing happened."
	s.sealed[70].Personal = s.sealed[70].personal()
	rebuild(s)
	_, err := VerifyBook(t.Context(), s, m)
	f, ok := errors.AsType[*Fault](err)
	if !ok || f.Seq != 50 || f.To != 99 || f.What != "rewritten" {
		t.Errorf("got %v", err)
	}
}

func TestErasedRecordKeepsTheTreeValid(t *testing.T) {
	s, signing := written(t, 20)
	m := witnessed(t, s, signing, filepath.Join(t.TempDir(), "witness"))
	e := &s.sealed[7]
	e.Actor, e.Text, e.Data, e.Salt, e.Erased = "", "", nil, nil, true
	_, err := VerifyBook(t.Context(), s, m)
	if f, ok := errors.AsType[*Fault](err); !ok || f.Seq != 7 || f.What != "erased without a record of it" {
		t.Errorf("hidden as erased: %v", err)
	}
	s.unsealed = append(s.unsealed, NewEntry(access.Event{At: time.Now(), Kind: EventErased, Actor: "maya", Subject: e.ID, Text: "Erased a record."}))
	if _, err := (&Sealer{Book: s}).Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := VerifyBook(t.Context(), s, m); err != nil || r.Erased != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWithoutAWitnessTheTreeStillTells(t *testing.T) {
	s, _ := written(t, 300)
	kept := slices.Clone(s.sealed)
	s.sealed = s.sealed[:290]
	_, err := VerifyBook(t.Context(), s, Memory{})
	if f, ok := errors.AsType[*Fault](err); !ok || f.Seq != 290 || f.What != "cut off" {
		t.Errorf("cut off: %v", err)
	}
	s.unsealed = append(s.unsealed, NewEntry(access.Event{At: time.Now(), Kind: "x"}))
	if n, err := (&Sealer{Book: s}).Seal(t.Context()); err == nil || n != 0 || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("sealed on over what was cut off: %d, %v", n, err)
	}
	s.sealed, s.unsealed = kept, nil
	inner := tlog.StoredHashIndex(1, 140)
	s.chunks[inner/ChunkHashes] = slices.Clone(s.chunks[inner/ChunkHashes])
	s.chunks[inner/ChunkHashes][inner%ChunkHashes*tlog.HashSize] ^= 1
	if _, err := VerifyBook(t.Context(), s, Memory{}); err == nil {
		t.Error("a changed hash within the tree was not noticed")
	}
}

func TestTheNotaryDoesNotSignARewrittenLog(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, s *shelf){
		"an edit with the whole tree": func(t *testing.T, s *shelf) {
			s.sealed[3].Text = "Nothing happened."
			s.sealed[3].Personal = s.sealed[3].personal()
			rebuild(s)
			write(t, s, 5)
		},
		"rolled back": func(t *testing.T, s *shelf) {
			s.sealed = s.sealed[:15]
			rebuild(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, signing := written(t, 20)
			n := &Notary{Book: s, Signing: signing}
			if err := n.Testify(t.Context()); err != nil {
				t.Fatal(err)
			}
			write(t, s, 20)
			if err := n.Testify(t.Context()); err != nil {
				t.Fatal(err)
			}
			last := n.Last()
			tamper(t, s)
			if err := n.Testify(t.Context()); err == nil || n.Last() != last {
				t.Errorf("signed: %v", err)
			}
		})
	}
}

// To seal costs what is new, however long the log is: a batch reads the edge of
// the tree and the chunks that it fills.
func TestAStormIsSealedWithoutReadingTheLog(t *testing.T) {
	s, _ := written(t, 20_000)
	before := s.read
	const storm = 3 * batch
	write(t, s, storm)
	if n, most := s.read-before, 2*storm/ChunkHashes+4*20; n > most {
		t.Errorf("%d chunks were read to seal %d records after 20,000; want %d at most", n, storm, most)
	}
}

func TestWitnessRefusesALogThatShrank(t *testing.T) {
	s, signing := written(t, 20)
	path := filepath.Join(t.TempDir(), "witness")
	witnessed(t, s, signing, path)
	s.sealed = s.sealed[:10]
	rebuild(s)
	err := (&Notary{Book: s, Signing: signing, Sinks: []Sink{&FileSink{Path: path}}}).Testify(t.Context())
	if err == nil || !strings.Contains(err.Error(), "rolled back") {
		t.Errorf("err = %v", err)
	}
}

func TestWitnessFileSurvivesACrash(t *testing.T) {
	s, signing := written(t, 20)
	path := filepath.Join(t.TempDir(), "witness")
	witnessed(t, s, signing, path)
	half, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	half.WriteString(`{"checkpoint":"jitney/`)
	half.Close()
	write(t, s, 5)
	m := witnessed(t, s, signing, path)
	if r, err := VerifyBook(t.Context(), s, m); err != nil || r.Covered != 25 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestExportVerifiesOffline(t *testing.T) {
	s, signing := written(t, 300)
	m := witnessed(t, s, signing, filepath.Join(t.TempDir(), "witness"))
	public, err := PublicKey(signing)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Export(t.Context(), &out, s, signing); err != nil {
		t.Fatal(err)
	}
	verify := func(text string) error {
		imported, err := Import(strings.NewReader(text), public)
		if err != nil {
			return err
		}
		all := Memory{Checkpoints: append(slices.Clone(m.Checkpoints), imported.Checkpoint), Leaves: m.Leaves}
		_, err = Verify(imported, nil, all)
		return err
	}
	if err := verify(out.String()); err != nil {
		t.Errorf("untouched: %v", err)
	}
	var f *Fault
	if err := verify(strings.Replace(out.String(), `"grant":"g123"`, `"grant":"g124"`, 1)); !errors.As(err, &f) || f.Seq != 123 {
		t.Errorf("edited: %v", err)
	}
	lines := strings.SplitAfter(out.String(), "\n")
	if err := verify(strings.Join(lines[:200], "")); !errors.As(err, &f) || f.Seq != 199 || f.What != "cut off" {
		t.Errorf("cut off: %v", err)
	}
	other, _ := NewSigningKey()
	otherPublic, _ := PublicKey(other)
	if _, err := Import(strings.NewReader(out.String()), otherPublic); err == nil {
		t.Error("a checkpoint of somebody else was accepted")
	}
}

func TestProve(t *testing.T) {
	s, _ := written(t, 1000)
	c, err := Current(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := Prove(t.Context(), s, c.Size, 421)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, c.Size, c.Root, 421, s.sealed[421].Leaf()); err != nil {
		t.Error(err)
	}
	if err := tlog.CheckRecord(proof, c.Size, c.Root, 421, s.sealed[422].Leaf()); err == nil {
		t.Error("the proof of one record proves another")
	}
}

func FuzzReadersOfOutsideText(f *testing.F) {
	signing, err := NewSigningKey()
	if err != nil {
		f.Fatal(err)
	}
	public, err := PublicKey(signing)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := Sign(Checkpoint{Size: 5}, signing)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(signed))
	f.Add(`{"format":"jitney-audit-1"}` + "\n{}")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ReadCheckpoint([]byte(text), public); err == nil && c.Size != 5 {
			t.Errorf("accepted %+v", c)
		}
		if i, err := Import(strings.NewReader(text), public); err == nil {
			_, _ = Verify(i, nil, Memory{})
		}
	})
}

// Whoever can write the file of the witness, and has no key, can repeat what
// was signed, with leaves of their own.
func TestAWitnessFileThatWasMadeUpIsRefused(t *testing.T) {
	s, signing := written(t, 2)
	path := filepath.Join(t.TempDir(), "witness")
	witnessed(t, s, signing, path)
	public, err := PublicKey(signing)
	if err != nil {
		t.Fatal(err)
	}
	var signed []byte
	if err := readTestimonies(path, func(at Testimony) error { signed = at.Signed; return nil }); err != nil {
		t.Fatal(err)
	}
	for from, leaves := range map[int64]int{-1: 3, 1: 2, 5: 0} {
		line, err := json.Marshal(testimonyLine{Checkpoint: string(signed), From: from, Leaves: make([]byte, leaves*tlog.HashSize)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(line, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadWitness(path, public); err == nil {
			t.Errorf("leaves from %d on are believed", from)
		}
	}
}
