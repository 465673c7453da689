package secret

import "encoding/binary"

// A Place is where in the database a secret is sealed for. It opens nowhere
// else, so that a row copied over another does not open.
type Place struct {
	Table, Row, Column string
	Version            int64
}

// bound writes p and the customer so that no two places give the same bytes.
func (p Place) bound(customer string) []byte {
	var b []byte
	for _, part := range []string{"jitney/1", customer, p.Table, p.Row, p.Column} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(p.Version))
}
