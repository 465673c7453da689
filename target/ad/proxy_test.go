package ad

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"

	"jitney/target/targettest"
)

// A proxy stands between a System and a real directory, and lets one changing
// request suffer a fault. It reads the protocol, so it knows what is a change.
type proxy struct {
	t        *testing.T
	peer     string // host:port of the directory
	peerTLS  *tls.Config
	addr     string
	ca       string // PEM of its own certificate
	n        int    // the n-th change suffers; 0: none
	fault    targettest.Fault
	mu       sync.Mutex
	seen     int
	signIns  int
	requests []byte // tags of all changes that came

	held, release, done chan struct{} // of the change that is kept back
}

// keptBack is the fault of a change that waits for release, and is then done
// although its sender may be gone.
const keptBack targettest.Fault = "kept back"

// The changing requests of LDAP, by their application tags. RFC 4511
var changing = map[ber.Tag]bool{6: true, 8: true, 10: true, 12: true} // modify, add, delete, rename

func newProxy(t *testing.T, d domain, n int, fault targettest.Fault) *proxy {
	t.Helper()
	s, err := parseSettings(d.settings(nil))
	if err != nil {
		t.Fatal(err)
	}
	e := s.controllers[0]
	p := &proxy{t: t, peer: net.JoinHostPort(e.host, e.port), peerTLS: &tls.Config{RootCAs: s.roots, ServerName: e.host}, n: n, fault: fault,
		held: make(chan struct{}), release: make(chan struct{}), done: make(chan struct{})}
	cert, ca := selfSigned(t)
	p.ca = ca
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour * 24 * 365),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// binds counts sign-ins.
func (p *proxy) binds() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signIns
}

func (p *proxy) hit() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n > 0 && p.seen >= p.n
}

// hold runs act until a change of it is kept back.
func (p *proxy) hold(t *testing.T, act func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- act() }()
	select {
	case <-p.held:
	case err := <-done:
		t.Fatalf("it was over before a change could be kept back: %v", err)
	}
}

// strike counts a change and reports whether it is the one, or comes after it.
func (p *proxy) strike(tag ber.Tag) (now, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	p.requests = append(p.requests, byte(tag))
	return p.n > 0 && p.seen == p.n, p.n > 0 && p.seen > p.n
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := tls.Dial("tcp", p.peer, p.peerTLS)
	if err != nil {
		return
	}
	defer server.Close()
	var mute atomic.Bool // answers do not get through any more
	answered := make(chan struct{}, 1)
	go func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := server.Read(buf)
			if mute.Load() {
				answered <- struct{}{} // the change is done
				return
			}
			if err == nil {
				_, err = client.Write(buf[:n])
			}
			if err != nil {
				client.Close()
				return
			}
		}
	}()
	for {
		packet, err := ber.ReadPacket(client)
		if err != nil {
			return
		}
		raw := packet.Bytes()
		if len(packet.Children) > 1 && packet.Children[1].Tag == 0 {
			p.mu.Lock()
			p.signIns++
			p.mu.Unlock()
		}
		if len(packet.Children) < 2 || !changing[packet.Children[1].Tag] {
			if _, err := server.Write(raw); err != nil {
				return
			}
			continue
		}
		now, after := p.strike(packet.Children[1].Tag)
		switch {
		case after, now && p.fault == targettest.Lost:
			return
		case now && p.fault == targettest.Half:
			_, _ = server.Write(raw[:len(raw)/2])
			return
		case now: // done, and the answer lost
			if p.fault == keptBack {
				close(p.held)
				<-p.release
				defer close(p.done)
			}
			mute.Store(true)
			_, _ = server.Write(raw)
			<-answered
			return
		}
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}
