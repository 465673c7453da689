// Package signin knows who is visiting: local accounts with passwords, people
// whom another provider vouches for, their sessions, and the first
// administrator of a new installation.
//
// Passwords are kept as argon2id hashes. A session is a random token in a
// cookie; the database has only its hash. It ends 30 minutes after the last
// request, 12 hours after signing in, when it is ended, when the password
// changes, and at once when the person is disabled: nothing about a person is
// remembered from one request to the next.
//
// Every way of signing in goes through [Door.Enter]. A provider of identities
// ([Provider], OpenID Connect) does no more than to say who it is.
//
// Programs come in by tokens ([Tokens]): an administrator makes one for a
// program, or a command line asks for one and a person authorizes it in the
// browser ([Pairings]). Of these, too, only a hash is stored.
//
// The package has no pages, and never writes a password or a token to a log,
// an error or a record. What it needs of the store it declares in ports.go.
package signin
