package ad

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Relative ids of groups that every domain has, and well-known groups of the
// builtin container. Names differ by language and can be changed; these cannot.
// https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers
const (
	ridDomainAdmins   = 512
	ridDomainUsers    = 513
	ridProtectedUsers = 525
)

// parseSID reads the binary form of a security identifier and writes the usual
// one, such as S-1-5-32-544. [MS-DTYP] 2.4.2.2
func parseSID(b []byte) (string, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > 15 || len(b) != 8+4*int(b[1]) {
		return "", fmt.Errorf("%d bytes that are no SID", len(b))
	}
	var authority uint64
	for _, x := range b[2:8] {
		authority = authority<<8 | uint64(x)
	}
	s := "S-1-" + strconv.FormatUint(authority, 10)
	for i := 8; i < len(b); i += 4 {
		s += "-" + strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b[i:])), 10)
	}
	return s, nil
}

// validSID reports whether s is written like a security identifier.
func validSID(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 18 || parts[0] != "S" || parts[1] != "1" {
		return false
	}
	for _, p := range parts[2:] {
		if _, err := strconv.ParseUint(p, 10, 48); err != nil {
			return false
		}
	}
	return true
}

// encodeSID is the binary form of a valid SID, for filters.
func encodeSID(s string) ([]byte, error) {
	if !validSID(s) {
		return nil, fmt.Errorf("%q is not a SID", s)
	}
	parts := strings.Split(s, "-")
	authority, _ := strconv.ParseUint(parts[2], 10, 48)
	b := []byte{1, byte(len(parts) - 3), byte(authority >> 40), byte(authority >> 32), byte(authority >> 24), byte(authority >> 16), byte(authority >> 8), byte(authority)}
	for _, p := range parts[3:] {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is not a SID", s)
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return b, nil
}

// parseGUID reads the binary form of an objectGUID and writes the usual one,
// whose first three groups have their bytes the other way round. [MS-DTYP] 2.3.4
func parseGUID(b []byte) (string, error) {
	if len(b) != 16 {
		return "", fmt.Errorf("%d bytes that are no GUID", len(b))
	}
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:]), nil
}

// validGUID reports whether s is written as parseGUID writes it.
func validGUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	_, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil
}

// bySID and byGUID are base names that the directory resolves by identity,
// wherever the object is and whatever it is called. [MS-ADTS] 3.1.1.3.1.2.4
func bySID(sid string) string   { return "<SID=" + sid + ">" }
func byGUID(guid string) string { return "<GUID=" + guid + ">" }
