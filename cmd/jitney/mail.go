package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"jitney/notify"
	"jitney/secret"
)

// post is how the server sends mail.
type post struct {
	server, from, user, passwordFile string
}

func (p *post) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&p.server, "mail-server", "", "mail server as host:port, which tells people what failed or needs them; empty for none")
	flags.StringVar(&p.from, "mail-from", "", "sender of mail, such as jitney@example.net")
	flags.StringVar(&p.user, "mail-user", "", "name at the mail server; empty if it asks for none")
	flags.StringVar(&p.passwordFile, "mail-password-file", "", "file with the password, readable by its owner only")
}

// open makes the mailer; nil if none is wanted.
func (p *post) open() (*notify.Mailer, error) {
	if p.server == "" {
		return nil, nil
	}
	s := notify.Server{Address: p.server, From: p.from, User: p.user}
	if p.passwordFile != "" {
		text, err := readSecretFile(p.passwordFile)
		if err != nil {
			return nil, &failure{code: exitUsage, what: "read --mail-password-file", err: err, hint: "It must be a file that its owner alone can read (chmod 600)."}
		}
		s.Password = text
	}
	m, err := notify.Open(s)
	if err != nil {
		return nil, failed("prepare to send mail", err)
	}
	return m, nil
}

// readSecretFile reads a secret from a file that nobody else may read.
func readSecretFile(name string) (secret.Text, error) {
	info, err := os.Stat(name)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return secret.Text{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return secret.Text{}, fmt.Errorf("others can read it (mode %04o)", info.Mode().Perm())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return secret.Text{}, err
	}
	return secret.New(string(bytes.TrimRight(text, "\r\n"))), nil
}
