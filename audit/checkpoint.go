package audit

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Checkpoint says that the log had Size entries with the tree root Root.
type Checkpoint struct {
	Origin string // name of the log, also the name of its key
	Size   int64
	Root   tlog.Hash
}

// text is the body of a checkpoint as C2SP tlog-checkpoint has it.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// NewSigningKey makes the key pair of a new log, in the form of package note.
// The origin of its checkpoints is "jitney/" and eight random letters.
func NewSigningKey() (signing string, err error) {
	signing, _, err = note.GenerateKey(rand.Reader, "jitney/"+strings.ToLower(rand.Text()[:8]))
	return signing, err
}

// PublicKey reports the key that verifies what signing signs.
func PublicKey(signing string) (string, error) {
	parts := strings.SplitN(signing, "+", 5) // PRIVATE+KEY+name+hash+key
	if len(parts) < 5 {
		return "", fmt.Errorf("not a signing key")
	}
	return publicOf(parts[2], parts[4])
}

// Sign signs c with the signing key whose name is its origin.
func Sign(c Checkpoint, signing string) ([]byte, error) {
	signer, err := note.NewSigner(signing)
	if err != nil {
		return nil, err
	}
	c.Origin = signer.Name()
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// ReadCheckpoint reads a signed checkpoint, if publicKey signed it.
func ReadCheckpoint(signed []byte, publicKey string) (Checkpoint, error) {
	verifier, err := note.NewVerifier(publicKey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("public key: %w", err)
	}
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return Checkpoint{}, fmt.Errorf("checkpoint: not one of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || err2 != nil || size < 0 || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("checkpoint: malformed")
	}
	return Checkpoint{lines[0], size, tlog.Hash(root)}, nil
}

// Current reports the checkpoint of b as it is now, unsigned and without origin.
func Current(ctx context.Context, b Book) (Checkpoint, error) {
	size, err := b.Size(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	root, err := tlog.TreeHash(size, bookTree(ctx, b))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("root of the log at size %d: %w", size, err)
	}
	return Checkpoint{Size: size, Root: root}, nil
}

// Prove reports the proof that entry n is in the log of the given size.
func Prove(ctx context.Context, b Book, size, n int64) (tlog.RecordProof, error) {
	return tlog.ProveRecord(size, n, bookTree(ctx, b))
}
