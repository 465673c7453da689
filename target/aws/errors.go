package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"jitney/access"
)

// States that only people can end.
const (
	codeRight = "permission missing"
	codeTrust = "trust refused"
	codeFull  = "role full"
	codeKey   = "credential refused"
)

// A refusal is an error that AWS answered. It keeps what AWS said of who may
// do what, and of other answers only the code, for they repeat values.
type refusal struct {
	op, code, message, request string
	status                     int
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%s: %d %s (request %s)", r.op, r.status, r.code, r.request)
	if r.denied() {
		text += ": " + r.message
	}
	return text
}

func (r *refusal) denied() bool {
	return r.code == "AccessDenied" || r.code == "AccessDeniedException" || r.code == "UnauthorizedOperation"
}

// fault makes an error of ours out of one of the SDK's, which may hold more of
// the request and of the answer than a log should.
func fault(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*access.Error](err); ok {
		return err
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return bare(op, err)
	}
	r := &refusal{op: op, code: clip(api.ErrorCode(), 80), message: clip(api.ErrorMessage(), 600)}
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		r.status, r.request = e.HTTPStatusCode(), clip(e.ServiceRequestID(), 80)
	}
	return r
}

// bare keeps of an error that AWS did not answer what it says, and whether the
// caller's time was up.
func bare(op string, err error) error {
	text := clip(err.Error(), 400)
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", op, known)
		}
	}
	var broken *smithy.DeserializationError
	if errors.As(err, &broken) {
		text = "the answer cannot be read"
	}
	return fmt.Errorf("%s: %s", op, text)
}

// has reports whether AWS answered err with one of the codes.
func has(err error, codes ...string) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if r.code == code || r.code == code+"Exception" {
			return true
		}
	}
	return false
}

func isDenied(err error) bool { return has(err, "AccessDenied") }
func isGone(err error) bool   { return has(err, "NoSuchEntity") }

// mentions reports whether AWS's text holds one of the words.
func mentions(err error, some ...string) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	for _, w := range some {
		if strings.Contains(r.message, w) {
			return true
		}
	}
	return false
}

// answers is what AWS's codes mean to people, where doing does not matter.
var answers = []struct {
	code string
	kind access.Kind
	mark string
	text string
	hint string
}{
	{"InvalidClientTokenId", access.Denied, codeKey, "AWS does not know the access key that Jitney uses.", "Enter one that is active in the target's settings; a session's key that has ended is refused in the same way."},
	{"UnrecognizedClient", access.Denied, codeKey, "AWS does not know the access key that Jitney uses.", "Enter one that is active in the target's settings."},
	{"SignatureDoesNotMatch", access.Denied, codeKey, "The secret access key that Jitney uses is wrong.", "Enter the key's own secret in the target's settings."},
	{"ExpiredToken", access.Denied, codeKey, "The credentials that Jitney itself uses have expired.", "Renew those of the server, or choose a way that does not expire in the target's settings."},
	{"RequestTimeTooSkewed", access.Denied, codeKey, "The clock of this server differs too much from AWS's.", "Correct it: ends would come at the wrong time."},
	{"PackedPolicyTooLarge", access.Invalid, "", "AWS finds the session's policy and tags too large together.", "Shorten the names of the customer and the person."},
	{"MalformedPolicyDocument", access.Invalid, "", "AWS does not accept the session's policy.", "If sessions shall only read, the policy ReadOnlyAccess may not exist in this partition."},
	{"RegionDisabled", access.Invalid, "", "STS is switched off in the target's region.", "Switch the region on in the account's settings in IAM, or choose another one."},
	{"InvalidIdentityToken", access.Denied, codeTrust, "AWS does not accept the token that Jitney proves itself with.", "Check that the account has an OIDC provider for Jitney's issuer, with this target's audience, and that AWS can fetch the issuer's keys."},
	{"IDPRejectedClaim", access.Denied, codeTrust, "AWS does not accept the token that Jitney proves itself with.", "Check the OIDC provider in the account and the issuer's keys."},
	{"IDPCommunicationError", access.Unavailable, "", "AWS cannot fetch the keys of Jitney's issuer.", "Check that the issuer's address can be reached from outside; Jitney tries again by itself."},
}

// explain makes an error for people of what went wrong with doing, such as
// "read the role". An *access.Error stays as it is.
func explain(err error, doing string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*access.Error](err); ok {
		return e
	}
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		out := &access.Error{Kind: access.Unavailable, Text: "AWS was not reached to " + doing + ".", Hint: "Jitney tries again by itself.", Err: err}
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			out.Text = "AWS did not answer in time to " + doing + "."
		case strings.Contains(err.Error(), "get credentials"), strings.Contains(err.Error(), "credential"):
			out.Text, out.Hint = "There are no AWS credentials on this server, or they cannot be fetched.", "Give the server an instance role, or choose an access key in the target's settings."
		}
		return out
	}
	if mentions(err, "Signature expired", "Signature not yet current") {
		return &access.Error{Kind: access.Denied, Text: "The clock of this server differs too much from AWS's.", Hint: "Correct it: ends would come at the wrong time.", Err: err}
	}
	for _, a := range answers {
		if has(err, a.code) {
			return &access.Error{Kind: a.kind, Code: a.mark, Text: a.text, Hint: a.hint, Err: err}
		}
	}
	return r.explain(doing)
}

func (r *refusal) explain(doing string) error {
	out := &access.Error{Kind: access.Invalid, Text: "AWS did not accept the request to " + doing + " (" + r.code + ").", Hint: "The server's log holds the request ID that AWS's support asks for.", Err: r}
	switch {
	case r.denied():
		out.Kind, out.Code = access.Denied, codeRight
		out.Text, out.Hint = "AWS does not let Jitney "+doing+".", "Check connection shows which permission is missing."
		if _, action, ok := strings.Cut(r.message, "perform: "); ok {
			action, _, _ = strings.Cut(action, " ")
			out.Text = "AWS does not let Jitney " + doing + ": it lacks the permission " + clip(action, 60) + "."
			out.Hint = "Add " + clip(action, 60) + " to the policy of the principal that Jitney works as."
		}
	case r.code == "NoSuchEntity":
		out.Kind, out.Text, out.Hint = access.Invalid, "There is no such role in the account, to "+doing+".", "Check the role's name in the target's settings."
	case strings.Contains(r.code, "Throttl"), r.code == "RequestLimitExceeded", r.code == "SlowDown", r.status == http.StatusTooManyRequests:
		out.Kind, out.Text, out.Hint, out.After = access.Unavailable, "AWS asks to wait.", "Jitney tries again by itself.", 5*time.Second
	case r.code == "ConcurrentModification":
		out.Kind, out.Text, out.Hint, out.After = access.Conflict, "Someone else changes the role at this moment.", "Jitney tries again by itself.", time.Second
	case r.status >= 500, r.status == 0:
		out.Kind, out.Text, out.Hint = access.Unavailable, "AWS failed to "+doing+".", "Jitney tries again by itself."
	}
	return out
}

// clip takes out what no honest text holds, and bounds it.
func clip(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
