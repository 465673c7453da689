package cli

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkKeys measures what an SDK waits for: whole processes of the real
// program, with kept keys, with one HTTPS request, with one at a round trip of
// 50 ms, and with that and the authorities of this computer, which are many.
// It reports medians, minima and 95th percentiles in ms.
//
//	go test -run xxx -bench Keys -benchtime 60x ./cli
//
// JITNEY_TEST_PROGRAM names a program to measure instead of one built here.
func BenchmarkKeys(b *testing.B) {
	program := os.Getenv("JITNEY_TEST_PROGRAM")
	if program == "" {
		program = filepath.Join(b.TempDir(), "jitney")
		build := exec.Command("go", "build", "-trimpath", "-o", program, "jitney/cmd/jitney")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
		install(b, program)
	}
	f := newFake()
	f.Server = httptest.NewUnstartedServer(f)
	f.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	f.StartTLS()
	b.Cleanup(f.Close)
	far := delayed(b, f.Listener.Addr().String(), 50*time.Millisecond)
	home := b.TempDir()
	one := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	usual, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	authority, authorities := filepath.Join(home, "authority.pem"), filepath.Join(home, "authorities.pem")
	if err := errors.Join(os.WriteFile(authority, one, 0o600), os.WriteFile(authorities, append(one, usual...), 0o600)); err != nil {
		b.Fatal(err)
	}
	floor := filepath.Join(b.TempDir(), "floor")
	for _, c := range []struct {
		name     string
		program  string
		args     []string
		requests int // per call
		trust    string
	}{
		{"nothing", floor, nil, 0, authority},
		{"kept", program, []string{"aws", "--tenant", "dev01", "--host", f.URL}, 0, authority},
		{"onerequest", program, []string{"aws", "--tenant", "dev01", "--host", f.URL, "--no-cache"}, 1, authority},
		{"onerequest50ms", program, []string{"aws", "--tenant", "dev01", "--host", "https://" + far, "--no-cache"}, 1, authority},
		{"onerequest50msauthorities", program, []string{"aws", "--tenant", "dev01", "--host", "https://" + far, "--no-cache"}, 1, authorities},
	} {
		b.Run(c.name, func(b *testing.B) {
			if c.program == floor {
				buildFloor(b, floor)
			}
			call := func() time.Duration {
				cmd := exec.Command(c.program, c.args...)
				cmd.Env = []string{"HOME=" + home, "JITNEY_TOKEN=jat_ada", "SSL_CERT_FILE=" + c.trust, "SSL_CERT_DIR=" + home}
				began := time.Now()
				out, err := cmd.Output()
				took := time.Since(began)
				if err != nil || c.program == program && len(out) < 100 {
					b.Fatalf("%v: %s", errors.Join(err), out)
				}
				return took
			}
			for range 3 {
				call()
			}
			before, all := f.count(), []time.Duration{}
			for b.Loop() {
				all = append(all, call())
			}
			if n := f.count() - before; n != c.requests*len(all) {
				b.Errorf("%d requests of %d calls", n, len(all))
			}
			slices.Sort(all)
			ms := func(i int) float64 { return float64(all[i].Microseconds()) / 1000 }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms(0), "min-ms")
			b.ReportMetric(ms(len(all)/2), "median-ms")
			b.ReportMetric(ms(len(all)*95/100), "p95-ms")
		})
	}
}

// buildFloor builds a Go program that does nothing: no process starts quicker.
func buildFloor(b *testing.B, name string) {
	source := name + ".go"
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", name, source).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	install(b, name)
}

// install copies a program over itself, as an installation does: what the
// linker just wrote is in the memory of Linux in small pieces, and starts a
// tenth slower.
func install(b *testing.B, name string) {
	data, err := os.ReadFile(name)
	if err == nil {
		err = errors.Join(os.Remove(name), os.WriteFile(name, data, 0o700))
	}
	if err != nil {
		b.Fatal(err)
	}
}

// delayed forwards connections to an address as if it were a round trip away:
// one for the connection, half of one for what goes each way.
func delayed(b *testing.B, to string, trip time.Duration) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				time.Sleep(trip)
				far, err := net.Dial("tcp", to)
				if err != nil {
					_ = near.Close()
					return
				}
				go carry(far, near, trip/2)
				carry(near, far, trip/2)
			}()
		}
	}()
	return listener.Addr().String()
}

// A parcel is what is under way.
type parcel struct {
	due  time.Time
	data []byte
}

func carry(to io.WriteCloser, from io.Reader, after time.Duration) {
	under := make(chan parcel, 1000)
	go func() {
		defer close(under)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				under <- parcel{time.Now().Add(after), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range under {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close()
}
