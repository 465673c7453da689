package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"jitney/access"
	"jitney/audit"
)

func auditCommand(sh *shell) *cobra.Command {
	p, as := &place{}, ""
	cmd := group("audit", "Verify and export the audit log", auditVerify(sh, p, &as), auditExport(sh, p, &as), auditKey(sh, p))
	p.register(cmd)
	_ = cmd.PersistentFlags().MarkHidden("allow-private") // taken, and of no use here
	cmd.PersistentFlags().StringVar(&as, "as", "", "login of the administrator to act as; else the system's user is recorded")
	return cmd
}

// A verdict is what verify --json prints.
type verdict struct {
	OK         bool      `json:"ok"`
	Size       int64     `json:"size"`
	Covered    int64     `json:"covered_by_checkpoint,omitempty"`
	Unsealed   int64     `json:"unsealed"`
	Oldest     time.Time `json:"oldest_unsealed,omitzero"`
	Text       string    `json:"text"`
	FirstBad   *int64    `json:"first_bad,omitempty"`
	LastDoubt  *int64    `json:"first_bad_at_most,omitempty"`
	Checkpoint string    `json:"checkpoints,omitempty"`
}

func auditVerify(sh *shell, p *place, as *string) *cobra.Command {
	var export, publicKey, checkpoint string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no record was edited, dropped, moved or cut off",
		Long: `Prove that no record was edited, dropped, moved, cut off or rolled back, or name
the first bad one. Without --export it reads the database, and the checkpoints
beside it or those of --checkpoint. With --export it needs neither database nor
key file: only the export and the public key that you trust.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v verdict
			var err error
			if export != "" {
				v, err = verifyExport(export, publicKey, checkpoint)
			} else {
				v, err = verifyDatabase(cmd.Context(), sh, p, *as, publicKey, checkpoint)
			}
			if err != nil {
				return failed("verify the audit log", err)
			}
			return sh.tell(v, asJSON)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&export, "export", "", "verify this export instead of the database")
	flags.StringVar(&publicKey, "public-key", "", "the key that you trust, as jitney audit key prints it")
	flags.StringVar(&checkpoint, "checkpoint", "", "file with an older checkpoint, or a copy of the checkpoints file")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// tell prints a verdict; one that is not good is an error.
func (sh *shell) tell(v verdict, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(sh.out).Encode(v); err != nil {
			return err
		}
	} else if v.OK {
		fmt.Fprintln(sh.out, v.Text)
		if v.Unsealed > 0 {
			fmt.Fprintf(sh.out, "%d records wait for their place in the log, the oldest since %s.\n", v.Unsealed, clock(v.Oldest))
		}
	}
	if v.OK {
		return nil
	}
	return &failure{code: exitFailed, what: "verify the audit log", err: errors.New(v.Text), hint: "Keep the database as it is, and compare it with a backup and with the checkpoints that you hold."}
}

func judge(found audit.Report, err error) (verdict, error) {
	fault, isFault := errors.AsType[*audit.Fault](err)
	switch {
	case isFault:
		v := verdict{Size: found.Size, Text: fault.Error(), FirstBad: &fault.Seq}
		if fault.To > fault.Seq {
			v.LastDoubt = &fault.To
		}
		return v, nil
	case err != nil:
		return verdict{}, err
	default:
		return verdict{OK: true, Size: found.Size, Covered: found.Covered,
			Text: fmt.Sprintf("All %d records are as they were written; checkpoints from outside vouch for the first %d.", found.Size, found.Covered)}, nil
	}
}

func verifyExport(path, publicKey, checkpoint string) (verdict, error) {
	if publicKey == "" {
		return verdict{}, &failure{code: exitUsage, what: "verify the audit log", err: errors.New("--export needs --public-key"),
			hint: "Give the key that you trust; the one inside the export proves nothing. jitney audit key prints it."}
	}
	file, err := os.Open(path)
	if err != nil {
		return verdict{}, err
	}
	defer file.Close()
	log, err := audit.Import(file, publicKey)
	if err != nil {
		return verdict{}, err
	}
	memory := audit.Memory{}
	if checkpoint != "" {
		if memory, err = audit.ReadWitness(checkpoint, publicKey); err != nil {
			return verdict{}, err
		}
	}
	memory.Checkpoints = append(memory.Checkpoints, log.Checkpoint)
	return judge(audit.Verify(log, nil, memory))
}

func verifyDatabase(ctx context.Context, sh *shell, p *place, as, publicKey, checkpoint string) (verdict, error) {
	c, err := sh.atCounter(ctx, p, as)
	if err != nil {
		return verdict{}, err
	}
	defer c.close()
	if publicKey == "" {
		if publicKey, err = audit.PublicKey(c.keys.SigningKey()); err != nil {
			return verdict{}, err
		}
	}
	memory := audit.Memory{}
	if checkpoint == "" {
		checkpoint = c.witness.Path
	}
	if memory, err = audit.ReadWitness(checkpoint, publicKey); err != nil && !(errors.Is(err, os.ErrNotExist) && checkpoint == c.witness.Path) {
		return verdict{}, err
	}
	v, err := judge(audit.VerifyBook(ctx, c.store.Log, memory))
	if err != nil {
		return verdict{}, err
	}
	v.Checkpoint = checkpoint
	v.Unsealed, v.Oldest, err = c.store.Log.Unsealed(ctx)
	return v, err
}

func auditExport(sh *shell, p *place, as *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the audit log out as JSON lines that can be verified elsewhere",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.atCounter(cmd.Context(), p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			if err := c.sealAll(cmd.Context()); err != nil {
				return failed("seal the audit log", err)
			}
			err = sh.writeTo(output, func(w io.Writer) error { return c.Audit.Export(cmd.Context(), c.who, w) })
			return failed("export the audit log", err)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write; else standard output")
	cmd.Flags().Bool("json", true, "the export is always JSON lines")
	return cmd
}

// sealAll seals what nobody has sealed yet, because no server runs. Where one
// does, they may take turns.
func (c *counter) sealAll(ctx context.Context) (err error) {
	sealer := &audit.Sealer{Book: c.store.Log, Log: c.log}
	for range 20 {
		if _, err = sealer.Seal(ctx); access.KindOf(err) != access.Conflict {
			return err
		}
	}
	return err
}

// writeTo writes to a new file, or to standard output.
func (sh *shell) writeTo(path string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(sh.out)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Sync(), file.Close())
}

func auditKey(sh *shell, p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the public key with which exports and checkpoints are verified",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := p.keys()
			if err != nil {
				return err
			}
			public, err := audit.PublicKey(keys.SigningKey())
			if err != nil {
				return failed("read the signing key", err)
			}
			_, err = fmt.Fprintln(sh.out, public)
			return err
		},
	}
}

// record writes one event of the person at the terminal.
func (c *counter) record(ctx context.Context, kind, text string) error {
	return c.store.Log.Write(ctx, access.Event{At: time.Now().UTC(), Kind: kind, Actor: c.who.ID, Text: text})
}
