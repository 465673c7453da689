package directory

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A guid is an objectGUID as the directory stores it, the first three parts little-endian.
type guid [16]byte

func newGUID() (g guid) {
	_, _ = rand.Read(g[:])
	return g
}

// String writes g as people do: 8-4-4-4-12.
func (g guid) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(g[:]), binary.LittleEndian.Uint16(g[4:]), binary.LittleEndian.Uint16(g[6:]), g[8:10], g[10:])
}

// parseGUID reads the dashed form, or 32 hexadecimal digits in the stored order.
func parseGUID(s string) (g guid, err error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 {
		return g, errors.New("not a GUID")
	}
	copy(g[:], raw)
	if strings.Contains(s, "-") {
		g[0], g[1], g[2], g[3] = raw[3], raw[2], raw[1], raw[0]
		g[4], g[5], g[6], g[7] = raw[5], raw[4], raw[7], raw[6]
	}
	return g, nil
}

func newDomainSID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("S-1-5-21-%d-%d-%d", binary.LittleEndian.Uint32(b[:]), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]))
}

// binarySID packs S-1-5-… as [MS-DTYP] 2.4.2.2; "" for what is none.
func binarySID(s string) string {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 18 || !strings.EqualFold(parts[0], "S") || parts[1] != "1" {
		return ""
	}
	authority, err := strconv.ParseUint(parts[2], 10, 48)
	if err != nil {
		return ""
	}
	out := []byte{1, byte(len(parts) - 3)}
	out = append(out, binary.BigEndian.AppendUint64(nil, authority)[2:]...)
	for _, p := range parts[3:] {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return ""
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(v))
	}
	return string(out)
}

// textSID is the inverse of binarySID.
func textSID(b string) string {
	if len(b) < 8 || len(b) != 8+4*int(b[1]) {
		return ""
	}
	var authority uint64
	for i := 2; i < 8; i++ {
		authority = authority<<8 | uint64(b[i])
	}
	out := fmt.Sprintf("S-%d-%d", b[0], authority)
	for i := 8; i < len(b); i += 4 {
		out += fmt.Sprintf("-%d", binary.LittleEndian.Uint32([]byte(b[i:i+4])))
	}
	return out
}

// never is accountExpires' value for no end. [MS-ADTS]: 0 means the same.
const never = 1<<63 - 1

// fileTime counts 100 ns since 1601.
func fileTime(t time.Time) int64 {
	return t.Unix()*1e7 + int64(t.Nanosecond())/100 + 116444736000000000
}

func fromFileTime(v int64) time.Time {
	v -= 116444736000000000
	return time.Unix(v/1e7, v%1e7*100).UTC()
}

func generalTime(t time.Time) string { return t.UTC().Format("20060102150405") + ".0Z" }

// TextSID writes a binary SID as S-1-…; "" for what is none.
func TextSID(b []byte) string { return textSID(string(b)) }
