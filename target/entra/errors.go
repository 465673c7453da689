package entra

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"jitney/access"
)

// States that only people can end, as access.Error.Code names them.
const (
	codeConsent    = "consent withdrawn"
	codeCredential = "credential expired"
	codePurge      = "purge refused"
	codeRight      = "permission missing"
	codeBlocked    = "sign-in blocked"
)

// A graphError is an answer of Graph that is not a success. It holds nothing
// secret.
type graphError struct {
	op       string // GET /users/…
	status   int
	code     string // Graph's own
	message  string
	id       string // request-id
	after    time.Duration
	conflict bool     // another object has that user principal name
	needs    []string // permissions, any of which allows the call
	granted  []string // permissions of the token
	known    bool     // whether granted could be read
}

func (e *graphError) Error() string {
	return fmt.Sprintf("%s: %d %s %s (request-id %s)", e.op, e.status, e.code, e.message, e.id)
}

// missing reports whether the token carries none of the permissions that the
// call needs.
func (e *graphError) missing() bool {
	return e.known && (len(e.granted) == 0 || len(e.needs) > 0 && !slices.ContainsFunc(e.needs, func(p string) bool { return slices.Contains(e.granted, p) }))
}

// is reports whether err is an answer with one of the statuses.
func is(err error, statuses ...int) bool {
	e, ok := errors.AsType[*graphError](err)
	return ok && slices.Contains(statuses, e.status)
}

// says reports whether err is an answer with that code of Graph's.
func says(err error, codes ...string) bool {
	e, ok := errors.AsType[*graphError](err)
	return ok && slices.Contains(codes, e.code)
}

// mentions reports whether err is an answer whose message holds text.
func mentions(err error, text string) bool {
	e, ok := errors.AsType[*graphError](err)
	return ok && strings.Contains(strings.ToLower(e.message), strings.ToLower(text))
}

func isGone(err error) bool { return is(err, http.StatusNotFound, http.StatusGone) }

// absent reports whether Graph itself says that there is no such object; a
// page that some proxy does not find proves nothing.
func absent(err error) bool {
	e, ok := errors.AsType[*graphError](err)
	return ok && isGone(err) && e.code != ""
}

// nameTaken reports whether a user was not made because another object has
// its name. Graph has answered both 400 and 409.
// https://github.com/microsoftgraph/microsoft-graph-docs/issues/1508
func nameTaken(err error) bool {
	e, ok := errors.AsType[*graphError](err)
	return ok && (e.conflict || e.code == "Request_MultipleObjectsWithSameKeyValue" ||
		mentions(err, "another object with the same value for property userPrincipalName"))
}

// alreadyThere reports whether a role was assigned before.
func alreadyThere(err error) bool {
	return says(err, "RoleAssignmentExists") || is(err, http.StatusConflict) || is(err, http.StatusBadRequest) && mentions(err, "conflicting object")
}

// explain makes an error for people of what went wrong with doing, such as
// "read the account". An *access.Error stays as it is.
func explain(err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*access.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*graphError](err); ok {
		return e.explain(doing)
	}
	if e, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return explainSignIn(e)
	}
	out := &access.Error{Kind: access.Unavailable, Text: "Microsoft Graph was not reached to " + doing + ".", Hint: "Jitney tries again by itself.", Err: err}
	if e, ok := errors.AsType[*tooFast](err); ok {
		out.Text, out.After = "The limit of calls to this Entra tenant is reached.", e.after
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		out.Text = "Microsoft did not answer in time to " + doing + "."
	}
	return out
}

// withdrawn is the error of an app that the customer does not admit any more.
func withdrawn(err error) *access.Error {
	return &access.Error{Kind: access.Denied, Code: codeConsent, Err: err, Text: "The customer's Entra tenant does not admit Jitney's app any more, or not yet.",
		Hint: "Have an administrator of the customer give admin consent again; it can take some minutes, or up to an hour, to work. Until then end the access by hand in the Entra admin center."}
}

func (e *graphError) explain(doing string) error {
	out := &access.Error{Err: e, After: e.after}
	switch {
	case e.status == http.StatusUnauthorized, e.code == "Authorization_IdentityNotFound",
		e.status == http.StatusForbidden && e.known && len(e.granted) == 0:
		return withdrawn(e)
	case e.code == "Directory_QuotaExceeded":
		out.Kind, out.Text = access.Denied, "The Entra tenant holds as many objects as it may."
		out.Hint = "Delete objects that nobody needs, or verify a domain, which raises the limit; deleted ones count for 30 days."
	case e.status == http.StatusForbidden && e.missing():
		out.Kind, out.Code = access.Denied, codeRight
		out.Text = "The app may not " + doing + ": it lacks the permission " + e.needs[0] + "."
		out.Hint = "Add the application permission to the app registration and give admin consent again."
	case e.status == http.StatusForbidden:
		out.Kind = access.Denied
		out.Text = "The Entra tenant refuses to let the app " + doing + "."
		out.Hint = "Check connection shows which permission or directory role is missing."
	case e.status == http.StatusTooManyRequests:
		out.Kind, out.Text, out.Hint = access.Unavailable, "Microsoft Graph asks to wait.", "Jitney tries again by itself."
	case e.status >= 500 || e.status == http.StatusRequestTimeout:
		out.Kind, out.Text, out.Hint = access.Unavailable, "Microsoft Graph failed to "+doing+".", "Jitney tries again by itself."
	case e.status == http.StatusNotFound, e.status == http.StatusConflict, e.status == http.StatusPreconditionFailed, e.status == http.StatusLocked:
		out.Kind, out.Text, out.Hint = access.Conflict, "The directory does not show the same thing everywhere yet.", "Jitney looks again."
		out.After = max(out.After, 5*time.Second)
	default:
		out.Kind, out.Text = access.Invalid, fmt.Sprintf("Microsoft Graph did not accept the request to %s (%s).", doing, clip(e.code, 60))
		out.Hint = "The server's log holds its answer and the request-id that Microsoft's support asks for."
	}
	return out
}

// signIn is what a refused sign-in of the app means, by Entra's number.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var signInCodes = []struct {
	number     int
	code       string
	text, hint string
}{
	{7000215, codeCredential, "The client secret of the app is wrong.", "Enter the secret's value, not its ID, in the target's settings."},
	{7000222, codeCredential, "The client secret of the app has expired.", "Make a new one in the app registration and enter it in the target's settings; a certificate would be better."},
	{700027, codeCredential, "Entra does not accept the app's certificate.", "Upload its public part to the app registration, and check that it has not expired."},
	{7000214, codeCredential, "Entra does not accept the app's certificate.", "Upload its public part to the app registration, and check that it has not expired."},
	{700024, "", "Entra says that the app's proof is not valid at this time.", "Correct the clock of this server."},
	{700016, codeConsent, "", ""},
	{7000229, codeConsent, "", ""},
	{65001, codeConsent, "", ""},
	{7000112, codeConsent, "The app is disabled.", "Enable it, in the app registration or among the customer's enterprise applications."},
	{90002, codeConsent, "There is no such Entra tenant.", "Check the Entra tenant ID and the cloud in the target's settings."},
	{53003, codeBlocked, "A conditional access policy of the customer blocks Jitney's app.", "Have an administrator of the customer exclude the app, or allow this server's address."},
	{530031, codeBlocked, "A conditional access policy of the customer blocks Jitney's app.", "Have an administrator of the customer exclude the app, or allow this server's address."},
}

// explainSignIn says what a refused sign-in of the app means. The error of
// azidentity repeats the whole answer, so nothing of it is kept but numbers.
func explainSignIn(err *azidentity.AuthenticationFailedError) error {
	out := &access.Error{Kind: access.Unavailable, Text: "The sign-in of Jitney's app at Microsoft failed.", Hint: "Jitney tries again by itself."}
	resp := err.RawResponse
	if resp == nil {
		out.Text, out.Err = "Microsoft's sign-in was not reached.", errors.New("no answer from the sign-in service")
		return out
	}
	var answer struct {
		Error   string `json:"error"`
		Codes   []int  `json:"error_codes"`
		Trace   string `json:"trace_id"`
		Request string `json:"correlation_id"`
		Text    string `json:"error_description"`
	}
	if body, rerr := runtime.Payload(resp); rerr == nil {
		_ = json.Unmarshal(body, &answer)
	}
	if len(answer.Codes) == 0 {
		answer.Codes = numbers(answer.Text)
	}
	out.Err = fmt.Errorf("sign-in of the app: %d %s AADSTS%v (trace %s)", resp.StatusCode, clip(answer.Error, 60), answer.Codes[:min(len(answer.Codes), 5)], clip(answer.Trace, 60))
	out.After = retryAfter(resp.Header)
	for _, known := range signInCodes {
		if !slices.Contains(answer.Codes, known.number) {
			continue
		}
		w := withdrawn(out.Err)
		if known.text != "" {
			w.Text, w.Hint = known.text, known.hint
		}
		w.Code = known.code
		return w
	}
	if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		out.Kind, out.Code = access.Denied, codeConsent
		out.Text = fmt.Sprintf("Entra refuses the sign-in of Jitney's app (AADSTS%v).", answer.Codes[:min(len(answer.Codes), 5)])
		out.Hint = "Look the number up in Microsoft's list of sign-in errors; most often consent, secret or certificate must be renewed."
	}
	return out
}

// numbers finds the number in a text such as "AADSTS7000215: …".
func numbers(text string) (out []int) {
	_, rest, ok := strings.Cut(text, "AADSTS")
	n := 0
	if _, err := fmt.Sscanf(rest, "%d", &n); ok && err == nil {
		out = append(out, n)
	}
	return out
}

// decodeClaims takes the claims of a challenge, which come in base64.
func decodeClaims(text string) string {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		if b, err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return ""
		}
	}
	if !json.Valid(b) {
		return ""
	}
	return string(b)
}
