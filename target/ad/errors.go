package ad

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"jitney/access"
)

// maxDiagnostic bounds how much of a server's own words goes into an error.
const maxDiagnostic = 200

// explain turns what a directory answered to doing into an error that a person
// may see. doing reads like "add the account to Domain Admins"; dc names the
// domain controller. nil stays nil, and an *access.Error stays what it is.
func explain(err error, doing, dc string) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*access.Error](err); ok {
		return e
	}
	at := " on " + dc
	if dc == "" {
		at = ""
	}
	out := &access.Error{Kind: access.Unavailable, Err: fmt.Errorf("%s%s: %w", doing, at, bounded(err))}
	if kind, text, hint, ok := explainTLS(err, dc); ok {
		out.Kind, out.Text, out.Hint = kind, text, hint
		return out
	}
	out.Kind, out.Text, out.Hint = explainCode(err, doing, at)
	return out
}

// explainCode has words for the result codes that mean something here.
func explainCode(err error, doing, at string) (access.Kind, string, string) {
	cannot := "Could not " + doing + at + ": "
	code := resultCode(err)
	switch {
	case isTransient(err):
		return access.Unavailable, cannot + "the domain controller did not answer.", "Jitney keeps trying. If it lasts, check that the domain controller runs and that its LDAP port can be reached."
	case isPasswordRefused(err):
		return access.Invalid, "The domain refused the password" + at + " because of its length, complexity or history.", "Make a longer password. A fine-grained password policy may ask for more than the domain's own."
	case code == ldap.LDAPResultInsufficientAccessRights:
		return access.Denied, cannot + "the service account has no right to do that.", "Run Check connection: it says which right is missing and whether it survives the hourly protection of administrators."
	case code == ldap.LDAPResultInvalidCredentials:
		return access.Denied, cannot + "the domain does not accept the service account (" + bindReason(err) + ").", "Set the service account's name and password again in the target's settings."
	case code == ldap.LDAPResultStrongAuthRequired || code == ldap.LDAPResultConfidentialityRequired:
		return access.Invalid, cannot + "the domain controller asks for a stronger protected connection.", "Use LDAPS or StartTLS on the domain controller's own port."
	case code == ldap.LDAPResultNoSuchObject:
		return access.NotFound, cannot + "there is no such object.", ""
	case code == ldap.LDAPResultEntryAlreadyExists:
		return access.Conflict, cannot + "an object of that name is already there.", ""
	case code == ldap.LDAPResultReferral:
		return access.Invalid, cannot + "the domain controller refers to another domain.", "Name domain controllers of this very domain; referrals are never followed."
	case code == ldap.LDAPResultInvalidDNSyntax:
		return access.Invalid, cannot + "the domain controller does not accept the name.", ""
	case code == ldap.LDAPResultNoSuchAttribute:
		return access.Conflict, cannot + "somebody else changed the account at the same time.", ""
	default:
		return access.Internal, cannot + "the domain controller refused it.", "The server's log has its exact words."
	}
}

// explainTLS has words for a server that cannot prove who it is.
func explainTLS(err error, dc string) (access.Kind, string, string, bool) {
	s := err.Error()
	switch {
	case strings.Contains(s, "certificate signed by unknown authority"), strings.Contains(s, "certificate is not trusted"):
		return access.Invalid, "The certificate of " + dc + " comes from an authority that is not trusted here.", "Paste the certificate of the domain's certification authority into the target's settings.", true
	case strings.Contains(s, "certificate has expired or is not yet valid"):
		return access.Invalid, "The certificate of " + dc + " is not valid at this time.", "Renew the domain controller's certificate, or correct the clock here.", true
	case strings.Contains(s, "x509:"):
		return access.Invalid, "The certificate of " + dc + " is not made out to that name.", "Use the name that stands in the certificate, usually the domain controller's full DNS name.", true
	case strings.Contains(s, "first record does not look like a TLS handshake"):
		return access.Invalid, dc + " does not speak TLS on that port.", "LDAPS listens on port 636; choose StartTLS for port 389.", true
	}
	return "", "", "", false
}

// bounded keeps a hostile or chatty answer from filling the log.
func bounded(err error) error {
	if s := err.Error(); len(s) > maxDiagnostic {
		return errors.New(strings.ToValidUTF8(s[:maxDiagnostic], "?") + "…")
	}
	return err
}

// resultCode is the LDAP result of err, or -1 if it is none.
func resultCode(err error) int {
	if e, ok := errors.AsType[*ldap.Error](err); ok {
		return int(e.ResultCode)
	}
	return -1
}

func isCode(err error, codes ...int) bool {
	got := resultCode(err)
	for _, c := range codes {
		if got == c {
			return true
		}
	}
	return false
}

// isTransient reports whether err says nothing about the request itself: the
// peer was not reached, was cut off, or is busy. What became of a change that
// was sent is then unknown.
func isTransient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errBudget) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	switch resultCode(err) {
	case ldap.ErrorNetwork, ldap.ErrorUnexpectedMessage, ldap.ErrorUnexpectedResponse, ldap.LDAPResultBusy, ldap.LDAPResultUnavailable,
		ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultServerDown, ldap.LDAPResultTimeout, ldap.LDAPResultConnectError:
		return true
	case -1:
		return true // go-ldap's own words for a broken connection have no code
	}
	return false
}

// isPasswordRefused reports whether the domain's password policy said no: 19
// or 53 with ERROR_PASSWORD_RESTRICTION.
func isPasswordRefused(err error) bool {
	return isCode(err, ldap.LDAPResultConstraintViolation, ldap.LDAPResultUnwillingToPerform) && strings.Contains(strings.ToUpper(err.Error()), "0000052D")
}

// bindCode is the sub-code of a refused bind, such as "533"; empty if there is
// none. Directories write it as "data 533".
func bindCode(err error) string {
	_, rest, ok := strings.Cut(err.Error(), "data ")
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(rest, ",")
	if code = strings.TrimSpace(code); len(code) > 8 {
		return ""
	}
	return strings.ToLower(code)
}

// bindReason says what the sub-code of a refused bind means.
func bindReason(err error) string {
	switch code := bindCode(err); code {
	case "525", "52e":
		return "wrong name or password"
	case "52f":
		return "restricted: Protected Users may not sign in this way"
	case "530":
		return "not at this time of day"
	case "531":
		return "not from here"
	case "532":
		return "its password has expired"
	case "533":
		return "it is disabled"
	case "701":
		return "it has expired"
	case "773":
		return "its password must be changed first"
	case "775":
		return "it is locked"
	case "":
		return "no reason given"
	default:
		return "code " + code
	}
}
