package main

import (
	"errors"

	"github.com/spf13/cobra"

	"jitney/signin"
)

// vouch is who else than Jitney itself vouches for people.
type vouch struct {
	issuer, client, secretFile, name, claim string
	only                                    bool
}

func (s *vouch) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&s.issuer, "sign-in-issuer", "", "OpenID Connect issuer at which people sign in, such as https://login.microsoftonline.com/TENANT-ID/v2.0; empty for none")
	flags.StringVar(&s.client, "sign-in-client", "", "client ID of this installation there")
	flags.StringVar(&s.secretFile, "sign-in-secret-file", "", "file with its client secret, readable by its owner only; empty for a public client")
	flags.StringVar(&s.name, "sign-in-name", "", "what people call the issuer, for the button; else its host")
	flags.StringVar(&s.claim, "sign-in-claim", signin.ClaimEmail, "claim that holds people's sign-in name; email counts only where the issuer verified it")
	flags.BoolVar(&s.only, "sign-in-only", false, "people sign in at the issuer only; passwords let nobody in")
}

// open makes the provider; nil if none is wanted.
func (s *vouch) open(p *program, door *signin.Door, base string) (*signin.Provider, error) {
	wrong := func(err error, hint string) error {
		return &failure{code: exitUsage, what: "check the settings", err: err, hint: hint}
	}
	if s.issuer == "" {
		if s.only || s.client != "" || s.secretFile != "" {
			return nil, wrong(errors.New("--sign-in-issuer is missing"), "Name the issuer, or leave the other --sign-in settings of it out.")
		}
		return nil, nil
	}
	c := signin.ProviderConfig{Issuer: s.issuer, ClientID: s.client, Name: s.name, Claim: s.claim, Base: base, Links: p.store.People, Logger: p.log}
	if s.secretFile != "" {
		text, err := readSecretFile(s.secretFile)
		if err != nil {
			return nil, wrong(err, "--sign-in-secret-file must be a file that its owner alone can read (chmod 600).")
		}
		c.Secret = text
	}
	provider, err := signin.NewProvider(door, c)
	if err != nil {
		return nil, wrong(err, "See --sign-in-issuer and --sign-in-client in docs/operating.md.")
	}
	return provider, nil
}
