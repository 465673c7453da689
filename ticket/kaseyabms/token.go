package kaseyabms

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"jitney/secret"
	"jitney/ticket"
	"jitney/ticket/reach"
)

// An issuer signs in and keeps the token.
type issuer struct {
	settings
	client *reach.Client

	mu       sync.Mutex
	token    secret.Text
	until    time.Time
	lastCode int64 // the step of the last one-time code that was sent
}

// step is how long a one-time code is good for.
const step = 30 // seconds

// get reports a token that is good for some more minutes.
func (i *issuer) get(ctx context.Context) (secret.Text, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if now.Before(i.until) {
		return i.token, nil
	}
	form := url.Values{"GrantType": {"password"}, "UserName": {i.user}, "Password": {i.password.Reveal()}, "Tenant": {i.company}}
	if i.totp.Reveal() != "" {
		at := now.Unix() / step
		if at == i.lastCode { // a code is good for one time
			wait := trouble(ticket.Throttled, "Kaseya BMS asks for the next one-time code.", nil)
			wait.After = time.Unix((at+1)*step, 0).Sub(now)
			return secret.Text{}, wait
		}
		i.lastCode = at
		form.Set("MFACode", code(i.totp, at))
	}
	var made envelope[struct {
		AccessToken         string
		AccessTokenExpireOn stamp
	}]
	answer, err := i.client.Do(ctx, reach.Call{Method: http.MethodPost, Path: "v2/security/authenticate", Form: form, Into: &made})
	said := fmt.Errorf("status %d", answer.Status) // the body could hold what was sent
	kind := ticket.TroubleOf(err)
	switch {
	case err == nil && made.failed() == "" && isToken(made.Result.AccessToken):
	case err != nil && kind == ticket.Throttled:
		return secret.Text{}, err
	case err != nil && kind == ticket.Down:
		return secret.Text{}, trouble(ticket.Down, "Kaseya BMS cannot be reached to sign in.", said)
	case err != nil && answer.Status < http.StatusBadRequest:
		return secret.Text{}, err // the address, the certificate or the rules are wrong
	case answer.Status == http.StatusNotFound:
		return secret.Text{}, trouble(ticket.Misconfigured, "Nobody can sign in at this address; it must be the one of the interface, such as https://api.bms.kaseya.com.", said)
	default:
		return secret.Text{}, trouble(ticket.Misconfigured, "Kaseya BMS does not accept the company name, the username, the password or the one-time code of this connection.", said)
	}
	life := made.Result.AccessTokenExpireOn.Sub(now) // by a clock that may differ from ours
	if life < 2*time.Minute || life > time.Hour {
		life = 10 * time.Minute
	}
	i.token, i.until = secret.New(made.Result.AccessToken), now.Add(life-life/5)
	return i.token, nil
}

func isToken(text string) bool {
	return text != "" && len(text) <= 8000 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// code is the one-time code of a step, after RFC 6238 with its usual values.
func code(key secret.Text, at int64) string {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key.Reveal())
	if err != nil {
		return ""
	}
	mac := hmac.New(sha1.New, raw)
	_ = binary.Write(mac, binary.BigEndian, at)
	sum := mac.Sum(nil)
	from := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[from:])&0x7fffffff%1000000)
}

// drop forgets a token that was not accepted, unless there is another already.
func (i *issuer) drop(token secret.Text) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.token.Equal(token) {
		i.until = time.Time{}
	}
}

func (i *issuer) sign(h http.Header) {
	i.mu.Lock()
	defer i.mu.Unlock()
	h.Set("Authorization", "Bearer "+i.token.Reveal())
}
