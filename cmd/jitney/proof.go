package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"jitney/audit"
	"jitney/broker"
)

// A proof verifies the audit log of an installation and writes it out.
type proof struct {
	p *program
}

func (p *program) proof() broker.Proof { return proof{p} }

// Verify proves the whole log, against the checkpoints outside the database.
func (v proof) Verify(ctx context.Context) (broker.AuditReport, error) {
	public, err := audit.PublicKey(v.p.keys.SigningKey())
	if err != nil {
		return broker.AuditReport{}, err
	}
	memory, err := audit.ReadWitness(v.p.witness.Path, public)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return broker.AuditReport{}, fmt.Errorf("read the checkpoints: %w", err)
	}
	return v.verify(ctx, memory)
}

func (v proof) verify(ctx context.Context, memory audit.Memory) (broker.AuditReport, error) {
	found, err := audit.VerifyBook(ctx, v.p.store.Log, memory)
	if ctx.Err() != nil {
		return broker.AuditReport{}, context.Cause(ctx)
	}
	report := broker.AuditReport{OK: err == nil, Size: found.Size, Checkpoint: v.p.notary.Last(),
		Text: fmt.Sprintf("All %d sealed records fit together; checkpoints outside the database vouch for the first %d.", found.Size, found.Covered)}
	if _, isFault := errors.AsType[*audit.Fault](err); isFault {
		report.Text = "The audit log was changed: " + err.Error() + "."
	} else if err != nil {
		return report, err
	}
	report.Unsealed, report.Oldest, err = v.p.store.Log.Unsealed(ctx)
	return report, err
}

// Export writes the log as JSON lines, with a fresh signed checkpoint first.
func (v proof) Export(ctx context.Context, w io.Writer) error {
	return audit.Export(ctx, w, v.p.store.Log, v.p.keys.SigningKey())
}
