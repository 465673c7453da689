package entra

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// An object is one JSON object of Graph's.
type object map[string]any

// A failure is an answer of Graph's that is not a success.
type failure struct {
	Status        int
	Code, Message string
	Details       []object
	Header        http.Header
}

func (f *failure) Error() string { return strconv.Itoa(f.Status) + " " + f.Code + ": " + f.Message }

func fail(status int, code, message string, details ...object) *failure {
	return &failure{Status: status, Code: code, Message: message, Details: details}
}

func badRequest(message string, details ...object) *failure {
	return fail(http.StatusBadRequest, "Request_BadRequest", message, details...)
}

func notFound(id string) *failure {
	return fail(http.StatusNotFound, "Request_ResourceNotFound", "Resource '"+id+"' does not exist or one of its queried reference-property objects are not present.")
}

func denied() *failure {
	return fail(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

func unauthorized(message string) *failure {
	return fail(http.StatusUnauthorized, "InvalidAuthenticationToken", message)
}

func taken(property string) *failure {
	return badRequest("Another object with the same value for property "+property+" already exists.", object{"code": "ObjectConflict", "target": property})
}

func conflicting() *failure {
	return badRequest("A conflicting object with one or more of the specified property values is present in the directory.")
}

func invalid(property, resource string) *failure {
	return badRequest("Invalid value specified for property '" + property + "' of resource '" + resource + "'.")
}

// An answer is what goes back to the caller.
type answer struct {
	status int
	header http.Header
	body   []byte
}

const jsonType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// answerTo puts a handler's result into the shape of Graph's answers. A nil body is an empty answer.
func answerTo(status int, body any) answer {
	a := answer{status: status, header: http.Header{}}
	if body == nil {
		return a
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return refusal(fail(http.StatusInternalServerError, "InternalServerError", "The answer could not be written."), "", "", time.Now())
	}
	a.body = raw
	a.header.Set("Content-Type", jsonType)
	return a
}

// refusal is a failure in the shape of Graph's errors.
func refusal(f *failure, requestID, clientID string, now time.Time) answer {
	inner := object{"date": now.Format("2006-01-02T15:04:05"), "request-id": requestID, "client-request-id": clientID}
	err := object{"code": f.Code, "message": f.Message, "innerError": inner}
	if len(f.Details) > 0 {
		err["details"] = f.Details
	}
	a := answerTo(f.Status, object{"error": err})
	for k, v := range f.Header {
		a.header[k] = v
	}
	if f.Status == http.StatusUnauthorized && a.header.Get("WWW-Authenticate") == "" {
		a.header.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`)
	}
	return a
}

// stamp writes a time as Graph does.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// opaque draws the kind of id that role assignments bear.
func opaque(dice *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 43)
	for i := range b {
		b[i] = letters[dice.IntN(len(letters))]
	}
	return string(b)
}

// nullable makes an empty text null.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
