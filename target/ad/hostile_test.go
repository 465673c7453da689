package ad

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"

	"jitney/access"
)

// hostile is a server with a good certificate and bad manners: it accepts every
// sign-in and answers searches with whatever answer writes.
func hostile(t *testing.T, answer func(c net.Conn, id int64)) *system {
	t.Helper()
	cert, ca := selfSigned(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					p, err := ber.ReadPacket(c)
					if err != nil || len(p.Children) < 2 {
						return
					}
					id, _ := p.Children[0].Value.(int64)
					if p.Children[1].Tag != 0 {
						answer(c, id)
						continue
					}
					_, _ = c.Write(message(id, 1, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 0, ""), text(""), text("")))
				}
			}()
		}
	}()
	sys, err := Kind().Open(t.Context(), "t", goodSettings(map[string]string{fieldControllers: l.Addr().String(), fieldCA: ca}))
	if err != nil {
		t.Fatal(err)
	}
	return sys.(*system)
}

func text(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func message(id int64, tag ber.Tag, children ...*ber.Packet) []byte {
	m := ber.NewSequence("")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	for _, c := range children {
		op.AppendChild(c)
	}
	m.AppendChild(op)
	return m.Bytes()
}

func TestHostileServers(t *testing.T) {
	tests := []struct {
		name   string
		answer func(c net.Conn, id int64)
	}{
		{"entries without end", func(c net.Conn, id int64) {
			big := message(id, 4, text("CN="+strings.Repeat("x", 100_000)), ber.NewSequence(""))
			for {
				if _, err := c.Write(big); err != nil {
					return
				}
			}
		}},
		{"a length of two gigabytes", func(c net.Conn, id int64) {
			_, _ = c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xf0, 0x04, 0x84, 0x7f, 0xff, 0xff, 0x00})
			junk := make([]byte, 1<<20)
			for {
				if _, err := c.Write(junk); err != nil {
					return
				}
			}
		}},
		{"noise", func(c net.Conn, id int64) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Close() }},
		{"a root that says nothing", func(c net.Conn, id int64) {
			_, _ = c.Write(message(id, 4, text(""), ber.NewSequence("")))
			_, _ = c.Write(message(id, 5, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 0, ""), text(""), text("")))
		}},
		{"an error as long as a book", func(c net.Conn, id int64) {
			_, _ = c.Write(message(id, 5, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 80, ""), text(""), text(strings.Repeat("<script>", 100_000))))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			_, err := hostile(t, tt.answer).Observe(t.Context(), access.Account{ID: "a1", Holder: access.Holder{Person: "p", Login: "a@b"}})
			if err == nil {
				t.Fatal("taken for a directory")
			}
			if len(err.Error()) > 2000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}
