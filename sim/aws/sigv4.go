package aws

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	amzDate   = "20060102T150405Z"
	unsigned  = "UNSIGNED-PAYLOAD"
	early     = 5 * time.Minute // how far ahead a client's clock may be; S3 allows as much as behind
	window    = 15 * time.Minute
)

// A signature is what a request says about how it was signed.
type signature struct {
	keyID, day, region, service string
	signed                      []string
	value                       string
	token                       string
	at                          time.Time
	life                        time.Duration // of a presigned URL; 0: signed in a header
}

// readSignature finds the signature of a request; nil without a failure if there is none.
func readSignature(r *http.Request) (*signature, *failure) {
	if q := r.URL.Query(); q.Get("X-Amz-Algorithm") != "" {
		return presigned(q)
	}
	auth := r.Header.Get("Authorization")
	if auth == "" {
		return nil, nil
	}
	rest, ok := strings.CutPrefix(auth, algorithm+" ")
	if !ok {
		return nil, incomplete("Authorization header requires " + algorithm + ".")
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[k] = v
	}
	for _, need := range []string{"Credential", "SignedHeaders", "Signature"} {
		if parts[need] == "" {
			return nil, incomplete(fmt.Sprintf("Authorization header requires '%s' parameter.", need))
		}
	}
	s := &signature{signed: strings.Split(parts["SignedHeaders"], ";"), value: parts["Signature"], token: r.Header.Get("X-Amz-Security-Token")}
	if f := s.scope(parts["Credential"]); f != nil {
		return nil, f
	}
	var err error
	if s.at, err = time.Parse(amzDate, r.Header.Get("X-Amz-Date")); err != nil {
		if s.at, err = http.ParseTime(r.Header.Get("Date")); err != nil {
			return nil, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
		}
	}
	return s, nil
}

func presigned(q url.Values) (*signature, *failure) {
	at, err := time.Parse(amzDate, q.Get("X-Amz-Date"))
	life, errLife := strconv.Atoi(q.Get("X-Amz-Expires"))
	if q.Get("X-Amz-Algorithm") != algorithm || err != nil || q.Get("X-Amz-Signature") == "" || q.Get("X-Amz-Expires") != "" && errLife != nil {
		return nil, incomplete("Query-string authentication requires X-Amz-Algorithm, X-Amz-Date and X-Amz-Signature.")
	}
	if life <= 0 {
		life = int(window / time.Second)
	}
	s := &signature{
		signed: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"), value: q.Get("X-Amz-Signature"),
		token: q.Get("X-Amz-Security-Token"), at: at, life: time.Duration(min(life, 604800)) * time.Second,
	}
	return s, s.scope(q.Get("X-Amz-Credential"))
}

// scope takes the credential apart.
func (s *signature) scope(text string) *failure {
	parts := strings.Split(text, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	s.keyID, s.day, s.region, s.service = parts[0], parts[1], parts[2], parts[3]
	return nil
}

func incomplete(text string) *failure {
	return &failure{Status: 400, Code: "IncompleteSignature", Message: text}
}

// timely holds the signature's time to the clock's.
func (s *signature) timely(now time.Time, service string) *failure {
	stamp := func(t time.Time) string { return t.UTC().Format(amzDate) }
	behind, ahead, before := window, early, "15 min."
	switch {
	case s.life > 0:
		behind = s.life
		before = strconv.Itoa(int(s.life/time.Second)) + " s."
	case service == serviceS3:
		ahead = window
	}
	late, soon := s.at.Before(now.Add(-behind)), s.at.After(now.Add(ahead))
	switch {
	case !late && !soon:
		return nil
	case service == serviceS3 && s.life > 0 && late:
		return &failure{Status: 403, Code: "AccessDenied", Message: "Request has expired"}
	case service == serviceS3:
		return &failure{Status: 403, Code: "RequestTimeTooSkewed", Message: "The difference between the request time and the current time is too large."}
	case late:
		return &failure{Status: 403, Code: "SignatureDoesNotMatch", Message: fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %s)", stamp(s.at), stamp(now.Add(-behind)), stamp(now), before)}
	}
	return &failure{Status: 403, Code: "SignatureDoesNotMatch", Message: fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", stamp(s.at), stamp(now.Add(ahead)), stamp(now))}
}

// compute is the signature that the request should have.
func (s *signature) compute(r *http.Request, body []byte, key string) string {
	canonical := s.canonical(r, body)
	sum := sha256.Sum256([]byte(canonical))
	scope := strings.Join([]string{s.day, s.region, s.service, "aws4_request"}, "/")
	text := strings.Join([]string{algorithm, s.at.UTC().Format(amzDate), scope, hex.EncodeToString(sum[:])}, "\n")
	k := []byte("AWS4" + key)
	for _, part := range []string{s.day, s.region, s.service, "aws4_request", text} {
		h := hmac.New(sha256.New, k)
		h.Write([]byte(part))
		k = h.Sum(nil)
	}
	return hex.EncodeToString(k)
}

// canonical is the request in the form that is signed.
func (s *signature) canonical(r *http.Request, body []byte) string {
	path := cmp.Or(escape(r.URL.Path, true), "/")
	if s.service != serviceS3 {
		path = escape(cmp.Or(r.URL.EscapedPath(), "/"), true)
	}
	q := r.URL.Query()
	q.Del("X-Amz-Signature")
	var pairs []string
	for k, list := range q {
		for _, v := range list {
			pairs = append(pairs, escape(k, false)+"="+escape(v, false))
		}
	}
	slices.Sort(pairs)
	var headers strings.Builder
	for _, name := range s.signed {
		fmt.Fprintf(&headers, "%s:%s\n", name, headerValue(r, name, body))
	}
	return strings.Join([]string{r.Method, path, strings.Join(pairs, "&"), headers.String(), strings.Join(s.signed, ";"), s.payload(r, body)}, "\n")
}

// payload is what stands for the body in the canonical request.
func (s *signature) payload(r *http.Request, body []byte) string {
	said := r.Header.Get("X-Amz-Content-Sha256")
	if s.service == serviceS3 && (said != "" || s.life > 0) {
		return cmp.Or(said, unsigned) // whether the body is what it says is looked at apart
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func headerValue(r *http.Request, name string, body []byte) string {
	switch name {
	case "host":
		return hostOf(r)
	case "content-length":
		return strconv.Itoa(len(body))
	}
	var out []string
	for _, v := range r.Header.Values(name) {
		out = append(out, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(out, ",")
}

// hostOf is the host that a request is for, on either side of a connection.
func hostOf(r *http.Request) string { return cmp.Or(r.Host, r.URL.Host) }

// escape writes text as RFC 3986 has it; slashes stay if they are to.
func escape(text string, slashes bool) string {
	var out strings.Builder
	for i := range len(text) {
		b := text[i]
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', strings.IndexByte("-._~", b) >= 0, b == '/' && slashes:
			out.WriteByte(b)
		default:
			fmt.Fprintf(&out, "%%%02X", b)
		}
	}
	return out.String()
}
