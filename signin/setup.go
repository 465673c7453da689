package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"jitney/access"
	"jitney/secret"
)

const (
	setupFor     = time.Hour
	setupSetting = "signin.setup" // "<end in seconds since 1970> <SHA-256 of the token in hex>"
	maxName      = 200
)

// Needed reports whether there is nobody yet who could sign in.
func (d *Door) Needed(ctx context.Context) (bool, error) {
	if d.settled.Load() {
		return false, nil
	}
	none, err := d.people.Nobody(ctx)
	if err == nil && !none {
		d.settled.Store(true)
	}
	return none, err
}

// Invite makes the token with which the first administrator is made within an
// hour, to be printed in the server's log; empty if there is somebody. An
// earlier token is void.
func (d *Door) Invite(ctx context.Context) (token string, until time.Time, err error) {
	if needed, err := d.Needed(ctx); err != nil || !needed {
		return "", time.Time{}, err
	}
	token, until = rand.Text(), time.Now().UTC().Add(setupFor).Truncate(time.Second)
	value := strconv.FormatInt(until.Unix(), 10) + " " + hashToken(token)
	if err := d.settings.SetSetting(ctx, setupSetting, value); err != nil {
		return "", time.Time{}, err
	}
	return token, until, nil
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// First makes the first administrator, who works for every customer. It is
// access.Denied if token is not the one that the server's log shows, or is
// older than an hour, and access.NotFound if there is somebody already. The
// token is void from then on.
func (d *Door) First(ctx context.Context, token secret.Text, name, login string, password secret.Text) error {
	none := &access.Error{Kind: access.NotFound, Text: "There is nothing here, or it is not yours to see.", Hint: "Sign in."}
	needed, err := d.Needed(ctx)
	if err != nil {
		return err
	}
	if !needed {
		return none
	}
	if err := d.redeem(ctx, token); err != nil {
		return err
	}
	p, err := firstPerson(name, login)
	if err != nil {
		return err
	}
	if err := goodPassword(password, p); err != nil {
		return err
	}
	hash, err := d.hasher.Hash(ctx, password)
	if err != nil {
		return tooMany(err)
	}
	e := event(EventFirstPerson, p.ID, p.ID, "Made "+p.Login+" the first administrator with the token from the server's log.")
	if err := d.people.AddFirst(ctx, p, hash, e); err != nil {
		if access.KindOf(err) == access.Conflict {
			d.settled.Store(true)
			return none
		}
		return err
	}
	d.settled.Store(true)
	if err := d.settings.SetSetting(ctx, setupSetting, ""); err != nil {
		d.log.Warn("setup token not erased; it is void all the same", "err", err)
	}
	return nil
}

// redeem demands the token that is good now.
func (d *Door) redeem(ctx context.Context, token secret.Text) error {
	value, err := d.settings.Setting(ctx, setupSetting)
	if err != nil {
		return err
	}
	end, hash, _ := strings.Cut(value, " ")
	until, _ := strconv.ParseInt(end, 10, 64)
	same := subtle.ConstantTimeCompare([]byte(hashToken(strings.TrimSpace(token.Reveal()))), []byte(hash)) == 1
	if !same || !time.Now().Before(time.Unix(until, 0)) {
		return &access.Error{Kind: access.Denied, Text: "This is not the set-up token, or it is older than an hour.",
			Hint: "Copy the token from the server's log. A restart of the server makes a new one."}
	}
	return nil
}

func firstPerson(name, login string) (access.Person, error) {
	name, login = strings.TrimSpace(name), strings.TrimSpace(login)
	if login == "" || len(login) > maxLogin || !utf8.ValidString(login) || login != clip(login, maxLogin) || strings.ContainsAny(login, " \t") {
		return access.Person{}, invalid("login", "A login is required, without spaces.", "Such as example.user@msp.example.")
	}
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || name != clip(name, maxName) {
		return access.Person{}, invalid("name", "A name is required, of at most 200 characters.", "Type the name that others know you by.")
	}
	return access.Person{ID: strings.ToLower(rand.Text()), Login: login, Name: name, CreatedAt: time.Now().UTC(), AllCustomers: true,
		Roles: []access.Role{access.Administrator, access.Requester}}, nil
}
