package login

import (
	"context"
	"crypto/subtle"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A door is where the browser brings the answer: a server on 127.0.0.1 that
// takes one kind of request, with the right state, and nothing else.
type door struct {
	port   int
	state  string
	origin string // of Jitney

	listener net.Listener
	server   *http.Server
	came     chan arrival
	shut     chan struct{}
}

// An arrival is a request with the right state. Whoever takes it must answer.
type arrival struct {
	code   string
	denied bool
	result chan string // where the browser goes on to; "" if it came to nothing
	sent   chan struct{}
}

// openDoor listens on 127.0.0.1, on any port if port is 0.
func openDoor(port int, state, origin string) (*door, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	d := &door{port: l.Addr().(*net.TCPAddr).Port, state: state, origin: origin,
		listener: l, came: make(chan arrival), shut: make(chan struct{})}
	d.server = &http.Server{
		Handler: d, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	d.server.SetKeepAlivesEnabled(false)
	go func() { _ = d.server.Serve(l) }()
	return d, nil
}

// close ends the door, and may be called on none.
func (d *door) close() {
	if d == nil {
		return
	}
	close(d.shut)
	_ = d.server.Close()
}

// arrivals is what comes through the door; nothing ever if there is none.
func (d *door) arrivals() <-chan arrival {
	if d == nil {
		return nil
	}
	return d.came
}

// answer sends the browser on, or tells it that the sign-in came to nothing if
// next is empty, and waits until it was told.
func (in arrival) answer(next string) {
	in.result <- next
	select {
	case <-in.sent:
	case <-time.After(time.Second):
	}
}

// ServeHTTP takes the answer from the browser. Other pages that the browser
// shows can send requests here too, also under a name of their own that
// resolves to this address: they are told nothing and change nothing.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	if status, text := d.refusal(r); status != 0 {
		send(w, status, text)
		return
	}
	q, _ := url.ParseQuery(r.URL.RawQuery)
	in := arrival{code: q.Get("code"), denied: q.Get("error") != "", result: make(chan string, 1), sent: make(chan struct{})}
	defer close(in.sent)
	select {
	case d.came <- in:
	case <-d.shut:
		return
	case <-r.Context().Done():
		return
	}
	select {
	case next := <-in.result:
		if next == "" {
			send(w, http.StatusBadGateway, "The sign-in did not finish. See what the command line says.")
			return
		}
		h.Set("Location", next)
		send(w, http.StatusSeeOther, "")
	case <-d.shut:
	}
}

// send sends the whole answer at once: the door may close right after.
func send(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// refusal reports why a request is not taken; 0 if it is.
func (d *door) refusal(r *http.Request) (status int, text string) {
	port := ":" + strconv.Itoa(d.port)
	origin, dest := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Dest")
	q, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case r.Host != "127.0.0.1"+port && r.Host != "localhost"+port:
		return http.StatusMisdirectedRequest, "This is not the host that you look for."
	case len(r.Header.Values("Origin")) > 1 || origin != "" && origin != d.origin && origin != "http://127.0.0.1"+port && origin != "http://localhost"+port,
		dest != "" && dest != "document":
		return http.StatusForbidden, "Requests from other pages are not taken."
	case r.URL.Path != "/":
		return http.StatusNotFound, "There is nothing here."
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, "Only GET is taken."
	case err != nil || len(q["state"]) != 1 || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(d.state)) != 1,
		len(q["code"])+len(q["error"]) != 1, len(q.Get("code")) > 300, q.Get("code") == "" && q.Get("error") == "":
		return http.StatusBadRequest, "No sign-in waits for this link. Begin again at the command line."
	}
	return 0, ""
}
