// Package hosted is what simulated desks of vendors share: a network that
// loses, delays and refuses, counts of calls, complaints about callers, and
// facts about an interface that every call and answer is held against. It
// knows no vendor and is for tests and demonstrations; it never calls anyone.
package hosted

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A Network is what goes wrong between a caller and any desk.
type Network struct {
	LoseRequests int           // every n-th request that writes never arrives
	LoseAnswers  int           // every n-th takes effect without an answer
	LateEvery    int           // every n-th takes effect Late after its caller lost the connection
	Late         time.Duration // see LateEvery
	ErrorPages   int           // every n-th call is answered with a gateway's error page
	Throttle     int           // every n-th call is answered with 429
	Elsewhere    string        // every call is redirected there
}

// A Front stands before one desk.
type Front struct {
	mu      sync.Mutex
	network Network
	calls   int
	writes  int
	odd     []string
	late    sync.WaitGroup
}

// Connect changes the network from now on.
func (f *Front) Connect(n Network) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.network = n
}

// Calls reports how many calls were made.
func (f *Front) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Odd reports what callers asked that the real interface does not know, or
// that no caller should ask.
func (f *Front) Odd() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.odd)
}

// Complain adds to what Odd reports.
func (f *Front) Complain(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.odd = append(f.odd, fmt.Sprintf(format, args...))
}

// Wait returns when every late request took effect.
func (f *Front) Wait() {
	f.mu.Lock()
	late := &f.late // who is about to be late is counted by now
	f.mu.Unlock()
	late.Wait()
}

// Pass reports whether a call gets through; if not, it is answered.
func (f *Front) Pass(w http.ResponseWriter, r *http.Request) bool {
	f.mu.Lock()
	f.calls++
	n, network := f.calls, f.network
	f.mu.Unlock()
	switch {
	case network.Elsewhere != "":
		http.Redirect(w, r, network.Elsewhere, http.StatusTemporaryRedirect)
	case every(n, network.ErrorPages):
		Page(w, http.StatusBadGateway, "Bad gateway")
	case every(n, network.Throttle):
		w.Header().Set("Retry-After", "1")
		Send(w, http.StatusTooManyRequests, Object{"message": "Too many requests"})
	default:
		return true
	}
	return false
}

// Write brings a request that writes to where it takes effect, or not.
func (f *Front) Write(w http.ResponseWriter, effect func(http.ResponseWriter)) {
	f.mu.Lock()
	f.writes++
	n, network := f.writes, f.network
	late := every(n, network.LateEvery) && !every(n, network.LoseRequests)
	if late {
		f.late.Go(func() {
			<-time.After(network.Late)
			effect(newAnswer())
		})
	}
	f.mu.Unlock()
	switch {
	case late, every(n, network.LoseRequests):
		panic(http.ErrAbortHandler)
	case every(n, network.LoseAnswers):
		effect(newAnswer())
		panic(http.ErrAbortHandler)
	default:
		effect(w)
	}
}

func every(n, of int) bool { return of > 0 && n%of == 0 }

// An answer is one that is not sent, or not yet.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}, status: http.StatusOK} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(text []byte) (int, error) { return a.body.Write(text) }

// An Object is one of JSON.
type Object = map[string]any

// Send answers with JSON.
func Send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// Page answers with a page for browsers.
func Page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html><body><h1>%s</h1></body></html>", text)
}
