package reach

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"jitney/ticket"
)

// judge says what an answer means, as most systems mean it.
func (c *Client) judge(call Call, a Answer) error {
	got := fmt.Errorf("%s %s: %s", call.Method, call.Path, quote(call, a))
	lost := ticket.Down
	if call.Writes {
		lost = ticket.Doubtful
	}
	switch s := a.Status; {
	case s >= 200 && s < 300:
		return c.decode(call, a, lost)
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
		t := c.trouble(ticket.Throttled, "asks for fewer calls", got)
		t.After = retryAfter(a.Header.Get("Retry-After"), time.Now())
		return t
	case s >= 500, s == http.StatusRequestTimeout, s < 200:
		return c.trouble(lost, fmt.Sprintf("failed (status %d)", s), got)
	case s == http.StatusUnauthorized:
		return c.trouble(ticket.Misconfigured, "does not accept the credentials of this connection", got)
	case s < 400:
		return c.trouble(ticket.Misconfigured, "sends its callers to another address; enter its final one", got)
	case a.isPage():
		return c.trouble(ticket.Misconfigured, fmt.Sprintf("answered with a page instead of data (status %d); something in front of it may refuse, or the address is not the one of its programming interface", s), got)
	case s == http.StatusForbidden:
		return c.trouble(ticket.Forbidden, "does not allow this to the account of the connection", got)
	case s == http.StatusNotFound, s == http.StatusGone:
		return c.trouble(ticket.Gone, "has no such ticket, or does not show it to the account of the connection", got)
	default:
		return c.trouble(ticket.Rejected, fmt.Sprintf("does not take this (status %d)", s), got)
	}
}

// decode reads the JSON of a 2xx answer.
func (c *Client) decode(call Call, a Answer, lost ticket.TroubleKind) error {
	if a.isPage() { // such as the sign-in page of something in front of it
		if !call.Writes {
			lost = ticket.Misconfigured
		}
		return c.trouble(lost, "answered with a page instead of data; is there a sign-in page in front of it, or is the address not the one of its programming interface?", errors.New(quote(call, a)))
	}
	if call.Into == nil {
		return nil
	}
	if err := json.Unmarshal(a.Body, call.Into); err != nil {
		return c.trouble(lost, "answered with something that cannot be read", fmt.Errorf("status %d: %w", a.Status, err))
	}
	return nil
}

// quote is the answer for the log. That to a form may hold what was sent, and
// is left out.
func quote(call Call, a Answer) string {
	if call.Form != nil {
		return fmt.Sprintf("status %d", a.Status)
	}
	return fmt.Sprintf("status %d: %s", a.Status, Clean(string(a.Body), 300))
}

// isPage reports whether the answer is meant for a browser.
func (a Answer) isPage() bool {
	return strings.Contains(strings.ToLower(a.Header.Get("Content-Type")), "html") || bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<"))
}

// retryAfter reads a Retry-After header: seconds or a date. It is at least a
// second and at most an hour, and half a minute if there is none.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	after := 30 * time.Second
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, time.Second), time.Hour)
}

// Clean is text from outside made fit to show in one line: valid UTF-8, at
// most most letters, without control characters and without those that change
// the direction of text.
func Clean(text string, most int) string { return clean(text, most, false) }

// Body is text of ours made fit for a note: as Clean, with its lines and of
// any length.
func Body(text string) string {
	return clean(strings.ReplaceAll(text, "\r\n", "\n"), -1, true)
}

func clean(text string, most int, lines bool) string {
	if most >= 0 && len(text) > 4*most+4 {
		text = text[:4*most+4]
	}
	var out strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if n == most {
			return strings.TrimSpace(out.String()) + "…"
		}
		switch {
		case lines && (r == '\n' || r == '\t'):
		case unicode.IsSpace(r):
			r = ' '
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, r == 0xfeff, r == 0xfffe, r == 0xffff:
			continue
		}
		out.WriteRune(r)
		n++
	}
	if lines {
		return out.String()
	}
	return strings.TrimSpace(out.String())
}
