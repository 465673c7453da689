package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"jitney/audit"
	"jitney/secret"
)

// The kinds of event about keys.
const (
	eventKeysRotated = "keys.rotated"
	eventKeysRetired = "keys.retired"
)

// keys reads the key file, and never makes one.
func (p *place) keys() (*secret.Keyfile, error) {
	handed := os.Getenv("CREDENTIALS_DIRECTORY") != ""
	if _, err := os.Stat(p.keyPath()); errors.Is(err, os.ErrNotExist) && !handed {
		return nil, &failure{code: exitNotFound, what: "read the keys", err: fmt.Errorf("there is no %s", p.keyPath()), hint: "Name the directory with --data, or the file with --key-file."}
	}
	keys, err := secret.OpenKeyfile(p.keyPath(), audit.NewSigningKey)
	return keys, failed("read the keys", err)
}

func keysCommand(sh *shell) *cobra.Command {
	p, as := &place{}, ""
	cmd := group("keys", "Rotate the keys that protect stored secrets", keysRotate(sh, p, &as), keysStatus(sh, p, &as))
	p.register(cmd)
	_ = cmd.PersistentFlags().MarkHidden("allow-private") // taken, and of no use here
	cmd.PersistentFlags().StringVar(&as, "as", "", "login of the administrator to act as; else the system's user is recorded")
	return cmd
}

func keysRotate(sh *shell, p *place, as *string) *cobra.Command {
	var retire bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Put a new key in use and wrap every data key by it",
		Long: `Put a new key in use and wrap every data key by it. It may be interrupted and
run again. A running server notices by itself. The key before stays in the file
until --retire removes it; copy the new file to where you keep the old one.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := sh.atCounter(ctx, p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			if retire {
				return sh.retire(ctx, c)
			}
			if err := c.record(ctx, eventKeysRotated, "A new wrapping key is put in use."); err != nil {
				return failed("record the rotation", err)
			}
			n, err := c.sealer.Rotate(ctx)
			if err != nil {
				return failed("rotate the keys", err)
			}
			fmt.Fprintf(sh.out, "The key %s is in use; %d data keys were wrapped by it.\n", c.sealer.WrapKeys()[0], n)
			return nil
		},
	}
	cmd.Flags().BoolVar(&retire, "retire", false, "remove the keys that no data key needs any more, instead")
	return cmd
}

func (sh *shell) retire(ctx context.Context, c *counter) error {
	if err := c.record(ctx, eventKeysRetired, "Wrapping keys that are not needed any more are removed."); err != nil {
		return failed("record the removal", err)
	}
	gone, err := c.sealer.Retire(ctx)
	if err != nil {
		return failed("retire old keys", err)
	}
	if len(gone) == 0 {
		fmt.Fprintln(sh.out, "There is no old key.")
		return nil
	}
	fmt.Fprintf(sh.out, "Removed %s.\n", strings.Join(gone, ", "))
	return nil
}

func keysStatus(sh *shell, p *place, as *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Name the keys, and how many data keys each wraps",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.atCounter(cmd.Context(), p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			names := c.sealer.WrapKeys()
			old, err := c.store.Keys.WrappedByOther(cmd.Context(), names[0])
			if err != nil {
				return failed("read the data keys", err)
			}
			if asJSON {
				return json.NewEncoder(sh.out).Encode(map[string]any{"in_use": names[0], "old": names[1:], "data_keys_under_old": len(old)})
			}
			fmt.Fprintf(sh.out, "In use: %s\n", names[0])
			for _, name := range names[1:] {
				fmt.Fprintf(sh.out, "Old:    %s\n", name)
			}
			fmt.Fprintf(sh.out, "%d data keys are still wrapped by an old key.\n", len(old))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
