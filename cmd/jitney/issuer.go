package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"jitney/issuer"
	"jitney/secret"
	"jitney/target"
	"jitney/target/aws"
)

// minter lets AWS targets have tokens signed by our issuer.
type minter struct{ *issuer.Issuer }

// Mint implements aws.Minter.
func (m minter) Mint(ctx context.Context, ask aws.MintAsk) (secret.Text, error) {
	if ask.Real {
		address, err := m.Address(ctx)
		if err == nil {
			err = issuer.Fit(address)
		}
		if err != nil {
			return secret.Text{}, err
		}
	}
	return m.Issuer.Mint(ctx, issuer.Claims{Audience: ask.Audience, Subject: ask.Subject, SourceIdentity: ask.SourceIdentity, Tags: ask.Tags, Lifetime: ask.Lifetime})
}

// awsWith puts the issuer behind the kind of AWS targets in kinds.
func awsWith(kinds []target.Kind, i *issuer.Issuer) []target.Kind {
	out := make([]target.Kind, 0, len(kinds))
	for _, k := range kinds {
		if k.Name == "aws" {
			k = aws.Kind(aws.Options{Issuer: minter{i}})
		}
		out = append(out, k)
	}
	return out
}

func issuerCommand(sh *shell) *cobra.Command {
	p, as := &place{}, ""
	cmd := group("issuer", "Publish and rotate the keys that AWS checks our tokens with", issuerExport(sh, p, &as), issuerRotate(sh, p, &as))
	cmd.Long = `Jitney is an OpenID Connect issuer, so that AWS needs no stored key. AWS reads
two documents below the issuer's address: the server serves them, and "export"
writes them as files, for a server that AWS cannot reach.`
	p.register(cmd)
	_ = cmd.PersistentFlags().MarkHidden("allow-private") // taken, and of no use here
	cmd.PersistentFlags().StringVar(&as, "as", "", "login of the administrator to act as; else the system's user is recorded")
	return cmd
}

func issuerExport(sh *shell, p *place, as *string) *cobra.Command {
	return &cobra.Command{
		Use:   "export DIRECTORY",
		Short: "Write the two documents of the issuer as files",
		Args:  arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := sh.atCounter(cmd.Context(), p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			documents, err := c.issuer.Documents(cmd.Context())
			if err != nil {
				return failed("read the documents of the issuer", err)
			}
			for path, body := range documents {
				name := filepath.Join(args[0], filepath.FromSlash(strings.TrimPrefix(path, "/")))
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					return failed("make the directory", err)
				}
				if err := os.WriteFile(name, body, 0o644); err != nil {
					return failed("write the document", err)
				}
				fmt.Fprintln(sh.out, name)
			}
			return nil
		},
	}
}

func issuerRotate(sh *shell, p *place, as *string) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Make a new key; it is published at once and signs in an hour",
		Args:  arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.atCounter(cmd.Context(), p, *as)
			if err != nil {
				return err
			}
			defer c.close()
			if err := c.issuer.Rotate(cmd.Context(), c.who.ID); err != nil {
				return failed("make a new key of the issuer", err)
			}
			fmt.Fprintln(sh.out, "A new key is published, and signs in an hour. If you publish the documents as files, export them now.")
			return nil
		},
	}
}
